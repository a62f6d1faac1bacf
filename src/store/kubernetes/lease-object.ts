import { z } from 'zod'
import { parsedJson } from '../../core/json/parsed-json.js'
import { TEXT_ANNOTATION } from './feature-flag.js'
import type { KubernetesObject } from './kubernetes-api.js'

/** A lease as its loop writes it; `at` is for people alone. */
const leaseSchema = z.object({ owner: z.string().nullable(), counter: z.number(), at: z.iso.datetime() })

/** `spec` of a Lease for a text: what `kubectl get lease` shows. Whose it is decides the text in the annotation. Pure. */
export function leaseSpecOf(text: string): Record<string, unknown> {
  const parsed = leaseSchema.safeParse(parsedJson(text))
  if (!parsed.success) return {}
  const { owner, at } = parsed.data
  return {
    ...(owner === null ? {} : { holderIdentity: owner }),
    renewTime: at.replace(/(\.\d{1,6})?Z$/, (_, part: string = '.') => `${part.padEnd(7, '0')}Z`),
  }
}

/** The text that a Lease stands for; one that somebody gave to another holder tells that. Pure. */
export function textOfLease({ metadata, spec = {} }: KubernetesObject): string {
  const written = metadata.annotations?.[TEXT_ANNOTATION]
  const holder =
    typeof spec.holderIdentity === 'string' && spec.holderIdentity !== '' ? spec.holderIdentity : null
  if (written !== undefined && ownerOf(written) === holder) return written
  return `${JSON.stringify({ owner: holder, counter: 0, at: String(spec.renewTime ?? ''), version: metadata.resourceVersion })}\n`
}

function ownerOf(text: string): string | null {
  const parsed = leaseSchema.safeParse(parsedJson(text))
  return parsed.success ? parsed.data.owner : null
}
