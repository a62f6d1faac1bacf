import { errorCode, errorText } from '../../core/errors.js'
import type { FlagStoreFault } from '../flag-store.js'
import type { StoreAction } from '../store-fault.js'
import { KubernetesRefused } from './kubernetes-api.js'

/** What is wrong and what to do, by HTTP status. */
const ADVICE: Readonly<Record<number, string>> = {
  401: 'the API server does not take the token; is the service account mounted into the pod?',
  403: 'the service account may not do that; give it the Role of deploy/kubernetes',
  404: 'there is no such kind of object; install the OpenFeature Operator, or at least its FeatureFlag definition',
  422: 'the object is refused by its schema',
  429: 'the API server takes no more requests now; it is tried again',
}

/** 403 is also the answer of admission webhooks, quotas and namespaces that end; only this one is about the Role. */
const OF_THE_ROLE = / cannot \w+ resource /
/** 404 is also the answer to a write into no namespace. */
const OF_NO_NAMESPACE = /^namespaces "/

/** The message carries no token, and of the content at most what the schema refuses. */
export function kubernetesFault(thrown: unknown, action: StoreAction, where: string): FlagStoreFault {
  if (thrown instanceof KubernetesRefused)
    return { code: thrown.code, message: `cannot ${action} ${where}: ${reasonOf(thrown)} (${thrown.code})` }
  const code = errorCode(thrown) ?? 'unknown'
  const isUnmounted = code === 'ENOENT' || code === 'EACCES'
  const why = isUnmounted
    ? `the service account is not mounted into the pod: ${errorText(thrown)}`
    : errorText(thrown)
  return { code, message: `cannot ${action} ${where}: ${why} (${code})` }
}

function reasonOf({ status, message: told }: KubernetesRefused): string {
  // Messages of webhooks may have several lines.
  const message = told.replaceAll(/\s+/g, ' ').trim()
  if (status === 404 && OF_NO_NAMESPACE.test(message)) return `there is no such namespace: ${message}`
  const advice = status === 403 && !OF_THE_ROLE.test(message) ? undefined : ADVICE[status]
  return advice === undefined || status === 422 ? `${advice ?? 'the API server refuses'}: ${message}` : advice
}
