import type { ComponentChildren, Ref } from 'preact'

/** What may be wider or longer than its place; who has no pointer scrolls it by the keyboard. */
export function Scroll({
  name,
  kind = 'wide',
  box = null,
  children,
}: {
  readonly name: string
  /** `wide`: to the side; `scroll`: down too */
  readonly kind?: 'wide' | 'scroll'
  /** for who scrolls it by itself */
  readonly box?: Ref<HTMLElement>
  readonly children: ComponentChildren
}) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: without it the keyboard cannot scroll
    <section class={kind} aria-label={name} tabIndex={0} ref={box}>
      {children}
    </section>
  )
}
