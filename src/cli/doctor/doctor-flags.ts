import { accessSync, constants, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { errorText } from '../../core/errors.js'
import { resolveModule } from '../../core/files/resolve-module.js'
import { checkFlagDocument } from '../../decision/check/ops-file-check.js'
import type { FlagFileKind } from '../../decision/flags.js'
import { loadProviderModule } from '../../decision/provider/provider-module.js'
import type { Environment, Invocation } from '../command/invocation.js'
import { causeText } from '../text/cause-text.js'
import { oneLine } from '../text/table.js'
import { storeOf } from './doctor-flag-store.js'
import type { Finding } from './finding.js'
import { type GrpcFault, probeGrpc } from './probe-grpc.js'

/** The flag files of this environment, each as what it is. */
export function checkFlagFiles(env: Environment, invocation: Invocation): Finding[] {
  const files: readonly (readonly [file: string, kind: FlagFileKind])[] = [
    [env.CHAT_FLAGS_FILE || 'flags/chat.flagd.json', 'ops'],
    [env.CHAT_FALLBACK_FLAGS_FILE || 'flags/auto-fallback.flagd.json', 'override'],
  ]
  const { choice, ops } = storeOf(env)
  const inFiles = files.filter(([, kind]) =>
    kind === 'ops' ? !ops && !env.CHAT_PROVIDER_MODULE : choice.kind === 'file',
  )
  return inFiles.map(([file, kind]) => checkFlagFile(file, kind, env, invocation))
}

function checkFlagFile(file: string, kind: FlagFileKind, env: Environment, { t }: Invocation): Finding {
  const check = kind === 'ops' ? t("operators' flags", '运维 flag') : t('override', '覆盖 flag')
  try {
    const issues = checkFlagDocument(readFileSync(file, 'utf8'), kind)
    if (kind === 'override') accessSync(dirname(file), constants.W_OK)
    const [first] = issues
    if (first === undefined) return { check, result: 'ok', text: file }
    return {
      check,
      result: issues.some(({ severity }) => severity === 'error') ? 'fault' : 'warning',
      text: `${file}:${first.line}:${first.column}: ${oneLine(t(first.message, first.zh))}`,
      advice: t(
        `See every fault (${issues.length}): chat-cutover flags validate ${file}`,
        `查看全部 ${issues.length} 项：chat-cutover flags validate ${file}`,
      ),
    }
  } catch (thrown) {
    const isElsewhere = kind === 'ops' && (env.FLAGD_RESOLVER ?? 'file') !== 'file'
    const why = causeText(thrown, t)
    if (isElsewhere)
      return {
        check,
        result: 'skipped',
        text: t(`${file}: ${why}; flagd has its own`, `${file}：${why}；flagd 使用自己的文件`),
      }
    const variable = kind === 'ops' ? 'CHAT_FLAGS_FILE' : 'CHAT_FALLBACK_FLAGS_FILE'
    return {
      check,
      result: 'fault',
      text: `${file}: ${why}`,
      advice: t(
        `Correct ${variable}, or copy the shipped file of flags/ there; the service must be able to write the directory`,
        `请修正 ${variable}，或将随附 flags/ 中的文件复制到该处；服务须能写入该目录`,
      ),
    }
  }
}

/** Whether the module can be loaded and exports a provider. The provider is not made: it would connect to its service. */
export async function checkProviderModule(env: Environment, { t, clock }: Invocation): Promise<Finding[]> {
  const { CHAT_PROVIDER_MODULE: name } = env
  if (!name) return []
  const check = t("operators' flags", '运维 flag')
  const advice = t(
    'Correct the module, or CHAT_PROVIDER_MODULE: without it the service does not start',
    '请修正该模块或 CHAT_PROVIDER_MODULE；否则服务无法启动',
  )
  const url = resolveModule(name, process.cwd())
  if (url === undefined)
    return [{ check, result: 'fault', text: t(`there is no module ${name}`, `找不到模块 ${name}`), advice }]
  try {
    const { kind } = await loadProviderModule({ name, url }, clock)
    const text =
      kind === 'provider'
        ? t(`${name}: exports a provider`, `${name}：导出了 provider`)
        : t(
            `${name}: exports a function for the provider, which is not called here`,
            `${name}：导出了创建 provider 的函数，此处不调用`,
          )
    return [{ check, result: 'ok', text }]
  } catch (thrown) {
    return [{ check, result: 'fault', text: oneLine(errorText(thrown)), advice }]
  }
}

/** flagd's own ports: sync for `in-process`, evaluation for `rpc`. */
const FLAGD_PORTS: Readonly<Record<string, number>> = { 'in-process': 8015, rpc: 8013 }

/** Whether flagd takes gRPC connections, where the flags come from it. */
export async function checkFlagd(env: Environment, { t }: Invocation): Promise<Finding[]> {
  const preset = FLAGD_PORTS[env.FLAGD_RESOLVER ?? 'file']
  if (preset === undefined) return []
  const [host, port] = [env.FLAGD_HOST || 'localhost', Number(env.FLAGD_PORT) || preset]
  const tls = /^(true|1)$/i.test(env.FLAGD_TLS ?? '')
  const fault = await probeGrpc({
    host,
    port,
    tls,
    authorities: env.GRPC_DEFAULT_SSL_ROOTS_FILE_PATH || undefined,
  })
  if (fault === undefined)
    return [
      {
        check: 'flagd',
        result: 'ok',
        text: t(
          `${host}:${port} takes gRPC connections${tls ? ' over TLS' : ''}`,
          `${host}:${port} 可建立 gRPC 连接${tls ? '（TLS）' : ''}`,
        ),
      },
    ]
  return [
    {
      check: 'flagd',
      result: 'fault',
      text: `${host}:${port}: ${fault.why}`,
      advice: t(...ADVICE[fault.kind]),
    },
  ]
}

const ADVICE: Readonly<Record<GrpcFault['kind'], [en: string, zh: string]>> = {
  unreachable: [
    'Start flagd, or correct FLAGD_HOST and FLAGD_PORT; until then the last good values hold',
    '请启动 flagd，或修正 FLAGD_HOST 与 FLAGD_PORT；在此之前沿用上次有效的取值',
  ],
  certificate: [
    'Name the authority of its certificate in NODE_EXTRA_CA_CERTS (GRPC_DEFAULT_SSL_ROOTS_FILE_PATH, where it is set, counts instead) and start the service again; the certificate must be for the name in FLAGD_HOST',
    '请在 NODE_EXTRA_CA_CERTS 中指定其证书的 CA（如已设置 GRPC_DEFAULT_SSL_ROOTS_FILE_PATH，则以它为准）并重启服务；证书须签发给 FLAGD_HOST 中的名称',
  ],
  no_tls: [
    'It speaks no TLS: set FLAGD_TLS=false, or start flagd with a certificate',
    '对方未启用 TLS：请设置 FLAGD_TLS=false，或为 flagd 配置证书',
  ],
  no_grpc: [
    'It does not speak gRPC there: correct FLAGD_PORT (flagd has 8015 for in-process, 8013 for rpc), or set FLAGD_TLS=true where flagd has a certificate',
    '该端口不是 gRPC：请修正 FLAGD_PORT（flagd 的 in-process 端口为 8015，rpc 端口为 8013）；若 flagd 使用证书，请设置 FLAGD_TLS=true',
  ],
}
