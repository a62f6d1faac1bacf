import type { Config } from '../../config.js'
import type { OpenAiModel } from '../../protocol/openai.js'
import { Problem } from '../edge/problems.js'

type Models = Config['openai']['models']

/** The agent that a model's name stands for. @throws Problem 404 */
export function agentOf(model: string, models: Models): string {
  const found = models.find(({ id }) => id === model)
  if (found === undefined) throw new Problem('model_unknown', { param: 'model' })
  return found.agentId
}

export function modelView({ id }: { readonly id: string }): OpenAiModel {
  return { id, object: 'model', created: 0, owned_by: 'chat-cutover' }
}
