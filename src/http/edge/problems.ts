import type { ApiErrorCode } from '../../protocol/api.js'
import type { Sentence } from './language.js'

interface ProblemKind extends Sentence {
  readonly status: number
  readonly code: ApiErrorCode
}

/** Every way a request is refused: what is wrong, and what to do about it. */
export const PROBLEMS = {
  token_missing: {
    status: 401,
    code: 'unauthorized',
    'zh-CN': '缺少访问令牌，请在请求头中携带 Authorization: Bearer <令牌>',
    en: 'The access token is missing. Send it as Authorization: Bearer <token>',
  },
  token_expired: {
    status: 401,
    code: 'unauthorized',
    'zh-CN': '访问令牌已过期，请重新登录后再试',
    en: 'The access token has expired. Sign in again',
  },
  token_not_yet_valid: {
    status: 401,
    code: 'unauthorized',
    'zh-CN': '访问令牌尚未生效，请检查时间或重新登录',
    en: 'The access token is not valid yet. Check the clock or sign in again',
  },
  token_claims: {
    status: 401,
    code: 'unauthorized',
    'zh-CN': '访问令牌缺少必需的声明或声明无效（sub、org_id、role、exp、iss、aud），请使用本服务的令牌',
    en: 'The access token lacks a claim or has a wrong one (sub, org_id, role, exp, iss, aud). Use a token made for this service',
  },
  token_invalid: {
    status: 401,
    code: 'unauthorized',
    'zh-CN': '访问令牌无效，请重新登录后再试',
    en: 'The access token is not valid. Sign in again',
  },
  stream_token_invalid: {
    status: 401,
    code: 'unauthorized',
    'zh-CN': '流令牌无效：它不属于该流，或服务已重启；请携带 Authorization 请求头读取',
    en: 'The stream token is not one of this stream, or the service was restarted. Send an Authorization header instead',
  },
  auth_unavailable: {
    status: 503,
    code: 'auth_unavailable',
    'zh-CN': '暂时无法验证访问令牌（密钥服务不可用），请稍后重试',
    en: 'Tokens cannot be verified right now (the key server is unavailable). Try again in a moment',
  },
  role_too_low: {
    status: 403,
    code: 'forbidden',
    'zh-CN': '权限不足，该操作需要更高的角色，请联系管理员',
    en: 'Your role does not allow this. Ask an administrator',
  },
  other_org: {
    status: 403,
    code: 'forbidden',
    'zh-CN': '只能查看本组织的数据，请将 orgId 改为您所在的组织',
    en: 'You may ask about your own organisation only. Set orgId to it',
  },
  own_org_only: {
    status: 403,
    code: 'forbidden',
    'zh-CN': '您只能为本组织触发回退，请将 orgIds 设为仅含您所在的组织；如需影响更多组织，请联系 owner',
    en: 'You may trigger a fallback for your own organisation only. Send orgIds with your organisation alone, or ask an owner',
  },
  too_many_orgs: {
    status: 400,
    code: 'bad_request',
    'zh-CN':
      '手动回退涉及的组织过多（连同已有的最多 1000 个，编号总长不超过 50000 个字符），请去掉 orgIds 以对全部组织生效，或先重置',
    en: 'The manual fallback would name too many organisations (at most 1,000 with those it names already, 50,000 characters in all). Leave orgIds out to cover everybody, or reset first',
  },
  path_unknown: {
    status: 404,
    code: 'not_found',
    'zh-CN': '路径不存在，请检查请求地址',
    en: 'There is nothing at this path. Check the address',
  },
  console_unbuilt: {
    status: 404,
    code: 'not_found',
    'zh-CN': '控制台尚未构建：请执行 npm run build，然后重启服务',
    en: 'The console has not been built. Run npm run build, then start the service again',
  },
  session_unknown: {
    status: 404,
    code: 'not_found',
    'zh-CN': '会话不存在，请检查会话编号或开始新的会话',
    en: 'There is no such session. Check its id or start a new one',
  },
  trace_unknown: {
    status: 404,
    code: 'not_found',
    'zh-CN': '没有该轮对话的记录：编号有误、该轮仍在进行，或由旧版本保存',
    en: 'There is no trace of such a turn: check its id, wait for its end, or it was kept by an earlier version',
  },
  stream_unknown: {
    status: 404,
    code: 'not_found',
    'zh-CN': '没有该流：编号有误，或它早已结束；回答见会话历史',
    en: 'There is no such stream: its id is wrong, or it ended long ago. The answer is in the history of its session',
  },
  stream_given_up: {
    status: 410,
    code: 'gone',
    'zh-CN': '该流此后的事件已不再保留，请读取会话历史（GET /chat/sessions/:sessionId）获取回答',
    en: 'The events after this one are no longer kept. Read the answer in the history: GET /chat/sessions/:sessionId',
  },
  method_not_allowed: {
    status: 405,
    code: 'method_not_allowed',
    'zh-CN': '该路径不支持此请求方法，可用的方法见 Allow 响应头',
    en: 'This path does not take that method. The Allow header lists those it takes',
  },
  turn_running: {
    status: 409,
    code: 'turn_running',
    'zh-CN': '该会话正在生成回答，请等待完成或先停止生成',
    en: 'An answer is being written in this session. Wait for it or stop it first',
  },
  rollout_running: {
    status: 409,
    code: 'rollout_conflict',
    'zh-CN': '已有灰度放量，请先中止它，或在其完成后使其永久生效',
    en: 'There is a rollout already. Abort it first, or make it permanent where it is finished',
  },
  rollout_default_runtime: {
    status: 409,
    code: 'rollout_conflict',
    'zh-CN': '执行模式标志默认已是新后端，无需灰度放量；如需重新开始，请先将 mode 设为 direct',
    en: 'The execution mode flag gives everybody the new backend by default, so a rollout would do nothing. Set the mode to direct first to begin again',
  },
  rollout_targeting: {
    status: 409,
    code: 'rollout_conflict',
    'zh-CN':
      '执行模式标志的定向规则（例如 canary）决定所有会话，灰度放量不会生效；请先将 canary 设为 0（canary set 0）或移除该规则',
    en: 'A targeting of the execution mode flag (a canary, say) decides for everybody, so a rollout would do nothing. Set the canary to 0 percent (canary set 0), or remove the rule, first',
  },
  rollout_not_running: {
    status: 409,
    code: 'rollout_conflict',
    'zh-CN': '没有正在进行的灰度放量可以暂停，请先查看其状态',
    en: 'No rollout is running that could be paused. Look at its state',
  },
  rollout_not_paused: {
    status: 409,
    code: 'rollout_conflict',
    'zh-CN': '灰度放量没有暂停，无法继续，请先查看其状态',
    en: 'The rollout is not paused, so it cannot be resumed. Look at its state',
  },
  rollout_none: {
    status: 409,
    code: 'rollout_conflict',
    'zh-CN': '没有可以中止的灰度放量',
    en: 'There is no rollout to abort',
  },
  flags_elsewhere: {
    status: 409,
    code: 'flags_elsewhere',
    'zh-CN':
      '运维 flag 文件不在本机，由 flagd 提供，请在 flagd 的数据源中修改，或将 CHAT_FLAGS_FILE 指向该文件',
    en: "The operators' flag file is not on this machine: flagd serves it. Edit it at flagd's source, or point CHAT_FLAGS_FILE at it",
  },
  flags_in_provider: {
    status: 409,
    code: 'flags_elsewhere',
    'zh-CN':
      '运维 flag 由 CHAT_PROVIDER_MODULE 的 provider 提供，本服务不能修改，请在该 provider 的系统中修改',
    en: "The operators' flags are in the provider of CHAT_PROVIDER_MODULE. This service cannot edit them: edit them there",
  },
  flags_changed: {
    status: 412,
    code: 'precondition_failed',
    'zh-CN': 'flag 文件已被修改，请重新读取当前的 flags，并以其 ETag 作为 If-Match 重试',
    en: 'The flag file has changed since. Read the flags again and send their ETag as If-Match',
  },
  flags_if_match: {
    status: 428,
    code: 'precondition_required',
    'zh-CN': '缺少 If-Match，请发送读取 flags 时返回的 ETag（* 表示不论当前内容）',
    en: 'If-Match is missing. Send the ETag that came with the flags (or *, for whatever is there)',
  },
  flags_refused: {
    status: 422,
    code: 'unprocessable',
    'zh-CN': '该修改被拒绝，文件未变更，原因见 details',
    en: 'The edit is refused and nothing was written. The reasons are in details',
  },
  idempotency_mismatch: {
    status: 422,
    code: 'idempotency_mismatch',
    'zh-CN': '该 Idempotency-Key 已用于另一个请求，新消息请使用新的键',
    en: 'This Idempotency-Key was used for another request. Take a new key for a new message',
  },
  body_type: {
    status: 415,
    code: 'unsupported_media_type',
    'zh-CN': '请求体必须是 UTF-8 编码的 JSON，请设置 Content-Type: application/json',
    en: 'The body must be JSON in UTF-8. Send Content-Type: application/json',
  },
  body_coding: {
    status: 415,
    code: 'unsupported_media_type',
    'zh-CN': '不支持该 Content-Encoding，可用：gzip、deflate、br，或不压缩',
    en: 'This Content-Encoding is not supported. Use gzip, deflate, br or none',
  },
  not_http: {
    status: 400,
    code: 'bad_request',
    'zh-CN': '请求不是有效的 HTTP，请检查客户端或代理',
    en: 'This is not HTTP. Check the client or the proxy',
  },
  headers_too_large: {
    status: 431,
    code: 'bad_request',
    'zh-CN': '请求头过大（上限 16 KiB），请缩短令牌或 Cookie',
    en: 'The request headers are over 16 KiB. Shorten the token or the cookies',
  },
  request_late: {
    status: 408,
    code: 'bad_request',
    'zh-CN': '请求未能及时传完，请重试',
    en: 'The request did not arrive in time. Try again',
  },
  body_empty: {
    status: 400,
    code: 'bad_request',
    'zh-CN': '请求体为空，请发送 JSON 对象',
    en: 'The body is empty. Send a JSON object',
  },
  body_compression: {
    status: 400,
    code: 'bad_request',
    'zh-CN': '请求体无法解压，请检查 Content-Encoding 与内容是否一致',
    en: 'The body cannot be decompressed. Check that it matches its Content-Encoding',
  },
  body_encoding: {
    status: 400,
    code: 'bad_request',
    'zh-CN': '请求体不是有效的 UTF-8 文本',
    en: 'The body is not valid UTF-8',
  },
  body_json: {
    status: 400,
    code: 'bad_request',
    'zh-CN': '请求体不是有效的 JSON，请检查语法',
    en: 'The body is not valid JSON. Check its syntax',
  },
  body_late: {
    status: 400,
    code: 'bad_request',
    'zh-CN': '请求体未能及时传完，请重试',
    en: 'The body did not arrive in time. Try again',
  },
  body_fields: {
    status: 400,
    code: 'bad_request',
    'zh-CN': '请求内容有误，请按 details 修正后重试',
    en: 'The request has faults. Correct what details lists',
  },
  body_unsupported: {
    status: 400,
    code: 'bad_request',
    'zh-CN': '请求中有本服务不支持的内容',
    en: 'The request asks for something that this service does not support',
  },
  model_unknown: {
    status: 404,
    code: 'not_found',
    'zh-CN': '没有该模型，可用的模型见 GET /v1/models',
    en: 'There is no such model. GET /v1/models lists those there are',
  },
  body_too_large: {
    status: 413,
    code: 'payload_too_large',
    'zh-CN': '请求体超过 1 MiB，请缩短内容后重试',
    en: 'The body is over 1 MiB. Send less',
  },
  rate_limited: {
    status: 429,
    code: 'rate_limited',
    'zh-CN': '发送过于频繁，请按 Retry-After 给出的秒数稍后重试',
    en: 'Too many messages. Try again after the seconds in Retry-After',
  },
  too_many_commands: {
    status: 429,
    code: 'rate_limited',
    'zh-CN': '操作过于频繁，请按 Retry-After 给出的秒数稍后重试',
    en: 'Too many commands in a minute. Try again after the seconds in Retry-After',
  },
  too_many_streams: {
    status: 429,
    code: 'rate_limited',
    'zh-CN': '同时进行的对话过多，请等待其中一个结束后重试',
    en: 'Too many of your conversations are running at the same time. Wait for one of them to end',
  },
  quota_exceeded: {
    status: 429,
    code: 'quota_exceeded',
    'zh-CN': '贵组织今日的 token 额度已用完，请在 Retry-After 给出的秒数之后（UTC 次日）重试，或联系管理员',
    en: "The tokens of your organisation's day are used up. Try again after the seconds in Retry-After (the next day, UTC), or ask an administrator",
  },
  starting: {
    status: 503,
    code: 'starting',
    'zh-CN': '服务正在启动，请稍后重试',
    en: 'The service is starting. Try again in a moment',
  },
  draining: {
    status: 503,
    code: 'draining',
    'zh-CN': '服务正在重启，请稍后重试',
    en: 'The service is restarting. Try again in a moment',
  },
  overloaded: {
    status: 503,
    code: 'overloaded',
    'zh-CN': '当前对话过多，请稍后重试',
    en: 'Too many conversations are running. Try again in a moment',
  },
  llm_overloaded: {
    status: 503,
    code: 'overloaded',
    'zh-CN': 'AI 服务当前请求过多，请按 Retry-After 给出的秒数稍后重试',
    en: 'The AI service has too many requests right now. Try again after the seconds in Retry-After',
  },
  events_overloaded: {
    status: 503,
    code: 'overloaded',
    'zh-CN': '打开的运维事件流过多，请关闭不用的页面后重试',
    en: "Too many operators' event streams are open. Close those nobody looks at and try again",
  },
  reports_overloaded: {
    status: 503,
    code: 'overloaded',
    'zh-CN': '正在生成的报告过多，请稍后重试',
    en: 'Too many reports are being made. Try again in a moment',
  },
  rollout_not_written: {
    status: 503,
    code: 'flags_unavailable',
    'zh-CN': '无法写入灰度放量标志所在的文件，未做任何更改，请稍后重试；原因见 details',
    en: "The file with the rollout's flag cannot be written, and nothing was changed. Try again; the reason is in details",
  },
  flags_unavailable: {
    status: 503,
    code: 'flags_unavailable',
    'zh-CN': '运维 flag 文件无法读取或写入，原因见 details',
    en: "The operators' flag file cannot be read or written. The reason is in details",
  },
  journal_unavailable: {
    status: 503,
    code: 'store_unavailable',
    'zh-CN': '数据库暂时不可用，无法读取变更记录，请稍后重试',
    en: 'The database is not available, so the journal cannot be read. Try again in a moment',
  },
  store_unavailable: {
    status: 503,
    code: 'store_unavailable',
    'zh-CN': '数据库暂时不可用，无法读取会话，请稍后重试',
    en: 'The database is not available, so this conversation cannot be read. Try again in a moment',
  },
  streams_unavailable: {
    status: 503,
    code: 'store_unavailable',
    'zh-CN': '该流不在本副本，且 Redis 暂时不可用，请稍后重试',
    en: 'This replica does not have the stream, and Redis is not available. Try again in a moment',
  },
  simulator_away: {
    status: 503,
    code: 'overloaded',
    'zh-CN': '模拟器没有响应：请检查演示是否仍在运行',
    en: 'The simulator does not answer. Check that the demo is still running',
  },
  internal_error: {
    status: 500,
    code: 'internal_error',
    'zh-CN': '服务内部错误，请稍后重试；如持续出现，请将 X-Request-ID 提供给管理员',
    en: 'Something went wrong on our side. Try again; if it stays, tell an administrator the X-Request-ID',
  },
} as const satisfies Record<string, ProblemKind>

export type ProblemName = keyof typeof PROBLEMS

/** A refused request on its way to the error handler, the one place that answers it. */
export class Problem extends Error {
  override readonly name = 'Problem'

  constructor(
    readonly problem: ProblemName,
    readonly options: {
      readonly headers?: Readonly<Record<string, string>>
      /** one line a field */
      readonly details?: readonly Sentence[]
      /** the place of the request that is at fault, where it is one: `messages[0].content` */
      readonly param?: string
      readonly cause?: unknown
    } = {},
  ) {
    super(problem, options.cause === undefined ? undefined : { cause: options.cause })
  }
}

/** A problem that goes away by itself; the client may try again after `seconds`. */
export function retryLater(problem: ProblemName, seconds: number, cause?: unknown): Problem {
  return new Problem(problem, { headers: { 'Retry-After': String(seconds) }, cause })
}

/** What was read of the journal. @throws Problem 503 `journal_unavailable`, worth another try, where it cannot be */
export async function readJournal<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading
  } catch (thrown) {
    throw isJournalUnavailable(thrown) ? retryLater('journal_unavailable', 1, thrown) : thrown
  }
}

/** By name: of the journal only its types are known here. */
const isJournalUnavailable = (thrown: unknown): boolean =>
  thrown instanceof Error && thrown.name === 'JournalUnavailable'
