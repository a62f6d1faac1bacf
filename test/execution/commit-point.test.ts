import { expect } from 'chai'
import type { BackendEvent } from '../../src/execution/backend.js'
import { commits } from '../../src/execution/commit-point.js'

const result = { result: 1, success: true }
const step = { stepId: '1', title: 't', status: 'running' } as const

describe('commit point', () => {
  const committing: BackendEvent[] = [
    { type: 'text', data: { content: ' a' } },
    { type: 'file', data: { url: 'http://h/f', filename: 'f', mimeType: 'text/plain' } },
    { type: 'tool_call', data: { toolName: 't', arguments: {}, status: 'calling' } },
    { type: 'tool_result', data: { toolName: 't', ...result } },
    { type: 'skill_call', data: { skillId: 's', skillName: 's', arguments: {}, status: 'calling' } },
    { type: 'skill_result', data: { skillId: 's', skillName: 's', ...result } },
    { type: 'mcp_call', data: { serverId: 's', toolName: 't', arguments: {}, status: 'calling' } },
    { type: 'mcp_result', data: { serverId: 's', toolName: 't', ...result } },
    { type: 'plan_step', data: { ...step, tool: 'search' } },
  ]
  for (const event of committing) {
    it(`is reached by ${event.type}`, () => expect(commits(event)).to.equal(true))
  }

  const harmless: BackendEvent[] = [
    { type: 'text', data: { content: '' } },
    { type: 'text', data: { content: ' \r\n\t\u00a0\u3000\u200b\u2060\ufeff' } },
    { type: 'thinking', data: { content: 'hm' } },
    { type: 'plan', data: { steps: [], currentStep: 0 } },
    { type: 'plan_step', data: step },
    { type: 'usage', data: { tokens: 1, estimated: false } },
  ]
  for (const event of harmless) {
    it(`is not reached by ${event.type} (${JSON.stringify(event.data)})`, () =>
      expect(commits(event)).to.equal(false))
  }
})
