import { z } from 'zod'
import { liveSchema, readySchema } from '../../protocol/api.js'
import type { Operation } from './operation.js'

/** Open to everybody who reaches the port. */
export const SERVICE_OPERATIONS: readonly Operation[] = [
  {
    id: 'getLiveness',
    method: 'get',
    path: '/health/live',
    tag: 'service',
    summary: 'Liveness',
    answers: [
      {
        status: 200,
        kind: 'data',
        description: 'The process answers.',
        data: liveSchema,
        example: { status: 'live' },
      },
    ],
  },
  {
    id: 'getReadiness',
    method: 'get',
    path: '/health/ready',
    tag: 'service',
    summary: 'Readiness: whether new turns are taken',
    headers: ['Accept-Language'],
    answers: [
      {
        status: 200,
        kind: 'data',
        description: 'New turns are taken. Faults of the flags do not make a replica unready.',
        data: readySchema,
        example: { status: 'ready', flags: { resolver: 'file', state: 'ready', faults: 0 } },
      },
    ],
    problems: ['starting', 'draining', 'overloaded', 'internal_error'],
  },
  {
    id: 'getPrometheusMetrics',
    method: 'get',
    path: '/metrics',
    tag: 'service',
    summary: 'Metrics for Prometheus',
    headers: ['Accept-Language'],
    answers: [
      {
        status: 200,
        kind: 'text',
        description:
          'The text format of Prometheus; OpenMetrics (`application/openmetrics-text`), with exemplars, where `Accept` prefers it.',
        type: 'text/plain; version=0.0.4; charset=utf-8',
        example: 'chat_store_available 1\n',
      },
    ],
    problems: ['internal_error'],
  },
  {
    id: 'getOpenApi',
    method: 'get',
    path: '/openapi.json',
    tag: 'service',
    summary: 'This document',
    headers: ['If-None-Match'],
    answers: [
      {
        status: 200,
        kind: 'json',
        description: 'OpenAPI 3.1.',
        headers: ['ETag'],
        schema: z.looseObject({ openapi: z.string(), info: z.looseObject({}), paths: z.looseObject({}) }),
        example: { openapi: '3.1.1', info: { title: 'chat-cutover' }, paths: {} },
      },
      { status: 304, kind: 'empty', description: 'As If-None-Match has it.', headers: ['ETag'] },
    ],
  },
  {
    id: 'getDocs',
    method: 'get',
    path: '/docs',
    tag: 'service',
    summary: 'This document as a page',
    headers: ['If-None-Match'],
    answers: [
      {
        status: 200,
        kind: 'text',
        description: 'A page that loads nothing from elsewhere.',
        headers: ['ETag'],
        type: 'text/html; charset=utf-8',
        example: '<!doctype html>',
      },
      { status: 304, kind: 'empty', description: 'As If-None-Match has it.', headers: ['ETag'] },
    ],
  },
]

/** Paths of the router that are no calls of the API: pages of ours, and what they load. */
export const PAGE_PATHS: readonly string[] = [
  '/',
  '/docs/:file',
  '/console',
  '/console/:view{/:id}',
  '/console/runbook',
  '/console/config.json',
  '/console/assets/:name',
]
