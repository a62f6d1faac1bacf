import { expect } from 'chai'
import { startRuntimeSimulator } from '../../../src/simulator/runtime.js'
import type { Simulator } from '../../../src/simulator/simulator-server.js'
import { dataOf, errorOf } from '../../support/answers.js'
import { bearer, type Edge, startEdge } from '../../support/edge.js'

const put = async (edge: Edge, body: object, role?: 'admin'): Promise<Response> =>
  fetch(`${edge.url}/console/demo/fault`, {
    method: 'PUT',
    headers: {
      authorization: await bearer(role === undefined ? {} : { role }),
      'content-type': 'application/json',
      'accept-language': 'en',
    },
    body: JSON.stringify(body),
  })

describe('the faults of the demo', () => {
  let runtime: Simulator
  let edge: Edge
  before(async () => {
    runtime = await startRuntimeSimulator()
    edge = await startEdge({ simulatedRuntime: runtime.url })
  })
  after(async () => {
    await edge.close()
    await runtime.close()
  })

  it('break the simulated runtime and mend it', async () => {
    expect(await dataOf(await put(edge, { fault: 'unreachable' }, 'admin'))).to.deep.equal({
      fault: 'unreachable',
    })
    expect(runtime.faults).to.deep.equal({ refuse: true })
    await dataOf(await put(edge, { fault: 'none' }, 'admin'))
    expect(runtime.faults).to.deep.equal({})
  })

  it('are for operators alone, and only those there are', async () => {
    expect((await put(edge, { fault: 'none' })).status).to.equal(403)
    expect((await put(edge, { fault: 'fire' }, 'admin')).status).to.equal(400)
  })

  it('do not exist outside the demo, and say so where the simulator has ended', async () => {
    const other = await startEdge()
    expect((await put(other, { fault: 'none' }, 'admin')).status).to.be.oneOf([404, 405])
    await other.close()
    const gone = await startRuntimeSimulator()
    const orphan = await startEdge({ simulatedRuntime: gone.url })
    await gone.close()
    const response = await put(orphan, { fault: 'none' }, 'admin')
    expect(response.status).to.equal(503)
    expect((await errorOf(response)).message).to.include('simulator does not answer')
    await orphan.close()
  })
})
