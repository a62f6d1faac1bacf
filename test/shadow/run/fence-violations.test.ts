import { expect } from 'chai'
import { fenceViolations, isMutating } from '../../../src/shadow/run/fence-violations.js'

describe('fence violations', () => {
  const mutating = [
    'tool:create_ticket',
    'tool:send',
    'tool:sendMail',
    'tool:sendHTMLMail',
    'tool:DELETE-USER',
    'tool:get_or_create_user',
    'tool:HTTPPost',
    'skill:Book a flight',
    'skill:发送邮件',
    'mcp:files/write',
    'mcp:db/executeQuery',
    'mcp:shop/cart.checkout',
    'tool:updateUser2',
  ]
  const looking = [
    'tool:search',
    'tool:get_post',
    'tool:list_runs',
    'tool:searchBook',
    'tool:postal_code',
    'tool:created_at',
    'tool:sender',
    'skill:Summary',
    'skill:查询天气',
    'mcp:update-server/read',
    'mcp:write/list_files',
    'tool:',
  ]
  for (const call of mutating) it(`are seen in ${call}`, () => expect(isMutating(call)).to.equal(true))
  for (const call of looking) it(`are not seen in ${call}`, () => expect(isMutating(call)).to.equal(false))

  it('are counted by call, and every file is one', () => {
    expect(fenceViolations(['tool:send', 'tool:search', 'tool:send'], 2)).to.equal(4)
    expect(fenceViolations([], 0)).to.equal(0)
  })
})
