import { z } from 'zod'
import { parsedJson } from '../../core/json/parsed-json.js'

const listed = z.object({
  id: z.string(),
  // llama.cpp
  aliases: z.array(z.string()).optional().catch(undefined),
})
const list = z.object({ data: z.array(listed).min(1) })

/** The models that `GET /models` names; undefined where the body is no such list, or was cut. */
export function listedModels(body: string): readonly string[] | undefined {
  const parsed = list.safeParse(parsedJson(body))
  if (!parsed.success) return undefined
  return parsed.data.data.flatMap(({ id, aliases = [] }) => [id, ...aliases])
}

/** Whether one of these is the model. Gemini lists `models/NAME`, Ollama `NAME:latest`; LiteLLM takes patterns like `openai/*`. */
export function isListed(model: string, models: readonly string[]): boolean {
  return models.some((id) => {
    if (id.includes('*')) return model.startsWith(id.slice(0, id.indexOf('*')))
    return id === model || id === `${model}:latest` || id === `models/${model}`
  })
}
