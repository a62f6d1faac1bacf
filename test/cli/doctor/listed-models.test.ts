import { expect } from 'chai'
import { isListed, listedModels } from '../../../src/cli/doctor/listed-models.js'

describe('the models that a server lists', () => {
  it('are those of llama.cpp with its aliases, and those of LiteLLM', () => {
    const llama =
      '{"models":[{"name":"tiny","model":"tiny"}],"object":"list","data":[{"id":"tiny","aliases":["tiny","small"],"tags":[],"object":"model","owned_by":"llamacpp","meta":{"n_ctx":256}}]}'
    expect(listedModels(llama)).to.deep.equal(['tiny', 'tiny', 'small'])
    const litellm =
      '{"data":[{"id":"mock","object":"model","created":1677610602,"owned_by":"openai"}],"object":"list"}'
    expect(listedModels(litellm)).to.deep.equal(['mock'])
  })

  it('are the ids alone where the aliases are of another form', () => {
    for (const aliases of ['"small"', 'null', '{"small":true}', '[1]'])
      expect(listedModels(`{"data":[{"id":"tiny","aliases":${aliases}}]}`), aliases).to.deep.equal(['tiny'])
  })

  it('are unknown where the body is no list, an empty one, or cut', () => {
    for (const body of ['', '{}', '[]', '{"data":[]}', '{"data":[{"id":1}]}', '{"data":[{"id":"a"'])
      expect(listedModels(body), body).to.equal(undefined)
  })

  it('are told from others as their servers name them', () => {
    expect(isListed('qwen3', ['qwen3:latest'])).to.equal(true)
    expect(isListed('gemini-2.5-flash', ['models/gemini-2.5-flash'])).to.equal(true)
    expect(isListed('openai/gpt-5', ['openai/*'])).to.equal(true)
    expect(isListed('gpt-5', ['openai/*', 'gpt-5-mini', 'x/gpt-5'])).to.equal(false)
  })
})
