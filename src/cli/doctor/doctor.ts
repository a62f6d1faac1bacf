import { withSecretFiles } from '../../core/files/secret-files.js'
import { counted } from '../../core/text.js'
import { withEnvFile } from '../command/env-file.js'
import type { CommandSpec } from '../command/invocation.js'
import { Interrupted } from '../text/command-error.js'
import { checkHere, isServiceHere } from './doctor-local.js'
import { checkService } from './doctor-service.js'
import type { Finding } from './finding.js'
import { findingsText } from './findings-text.js'

export const doctorCommand: CommandSpec = {
  examples: ['doctor', 'doctor --json | jq \'.findings[] | select(.result != "ok")\''],
  exits: {
    en: 'Exit code: 0 no faults (there may be warnings); 1 faults; 2 wrong usage; 130 ended by Ctrl-C.',
    'zh-CN':
      '退出码（Exit code: 0 / 1 / 2 / 130）：0 无错误（可能有警告）；1 有错误；2 用法错误；130 被 Ctrl-C 中断。',
  },
  remote: true,
  async run(invocation) {
    const { t, json, print, printJson } = invocation
    // What is wrong with a file of a secret is told by the check of the configuration.
    const { env } = withSecretFiles(withEnvFile(invocation.env))
    const here: Finding[] = isServiceHere(env)
      ? await checkHere(invocation, env)
      : [
          {
            check: t('this machine', '本机'),
            result: 'skipped',
            text: t(
              'no variables of the service are set here: only the running service is checked',
              '未设置服务的环境变量：仅检查运行中的服务',
            ),
          },
        ]
    const findings = [...here, ...(await checkService(invocation))]
    if (invocation.interrupted().aborted) throw new Interrupted()
    const faults = findings.filter(({ result }) => result === 'fault').length
    const warnings = findings.filter(({ result }) => result === 'warning').length
    if (json) printJson({ ok: faults === 0, faults, warnings, findings })
    else {
      print(findingsText(findings, invocation))
      print(
        `\n${t(`${counted(faults, 'fault')}, ${counted(warnings, 'warning')}`, `${faults} 个错误，${warnings} 个警告`)}\n`,
      )
    }
    return faults === 0 ? 0 : 1
  },
}
