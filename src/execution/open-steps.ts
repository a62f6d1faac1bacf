import type { MessageBody } from '../protocol/events.js'

/** The plan steps the client still sees as pending or running, in the order they came. */
export class OpenSteps {
  readonly #titles = new Map<string, string>()

  see(event: MessageBody): void {
    if (event.type === 'plan') {
      this.#titles.clear()
      for (const step of event.data.steps) this.#set(step.id, step.title, step.status)
    } else if (event.type === 'plan_step') {
      this.#set(event.data.stepId, event.data.title, event.data.status)
    }
  }

  /** Events that close them, so that a plan of a runtime that failed does not stay open on the client's screen. */
  skipped(): readonly MessageBody[] {
    return Array.from(this.#titles, ([stepId, title]) => ({
      type: 'plan_step',
      data: { stepId, title, status: 'skipped' },
    }))
  }

  #set(id: string, title: string, status: string): void {
    if (status === 'pending' || status === 'running') this.#titles.set(id, title)
    else this.#titles.delete(id)
  }
}
