import { InvalidArgumentError } from 'commander'
import { FALLBACK_POLICIES, fallbackPolicySchema } from '../../protocol/fallback.js'
import { type CommandSpec, wholeNumber } from '../command/invocation.js'
import { CommandError } from '../text/command-error.js'
import type { Say } from '../text/language.js'
import { dryRunOption, EDIT_EXITS, editFlags } from './edit-flags.js'

/** Single values of the operators' flags: canary, shadow, policy. */

const percentOf = (word: string, t: Say): number => {
  try {
    return wholeNumber(0, 100, t)(word.replace(/%$/, ''))
  } catch (thrown) {
    if (!(thrown instanceof InvalidArgumentError)) throw thrown
    throw new CommandError(t(`This is not a share. ${thrown.message}`, `比例${thrown.message}`), 2)
  }
}

export const canarySetCommand: CommandSpec = {
  define: (command, t) =>
    void dryRunOption(
      command.argument('<percent>', t('0 to 100; 0: no canary', '0 到 100；0 表示无灰度')),
      t,
    ),
  examples: ['canary set 5 --dry-run', 'canary set 5', 'canary set 0'],
  exits: EDIT_EXITS,
  remote: true,
  run: (invocation) =>
    editFlags({ canaryPercent: percentOf(invocation.given.words[0] ?? '', invocation.t) }, invocation),
}

export const shadowSetCommand: CommandSpec = {
  define: (command, t) =>
    void dryRunOption(
      command.argument(
        '<percent>',
        t(
          '0 to 100, or environment: CHAT_RUNTIME_SHADOW_PERCENT decides again',
          '0 到 100，或 environment（重新由 CHAT_RUNTIME_SHADOW_PERCENT 决定）',
        ),
      ),
      t,
    ),
  examples: ['shadow set 10', 'shadow set environment'],
  exits: EDIT_EXITS,
  remote: true,
  run(invocation) {
    const [word = ''] = invocation.given.words
    const shadowPercent = word === 'environment' ? null : percentOf(word, invocation.t)
    return editFlags({ shadowPercent }, invocation)
  },
}

export const policySetCommand: CommandSpec = {
  define: (command, t) =>
    void dryRunOption(
      command.argument(
        '<policy>',
        t(
          'auto; observe: only tells what it would have done; off: and lifts an automatic fallback',
          'auto；observe（只提示本应回退）；off（并解除自动回退）',
        ),
      ),
      t,
    ),
  examples: ['policy set observe', 'policy set auto'],
  exits: EDIT_EXITS,
  remote: true,
  run(invocation) {
    const { given, t } = invocation
    const policy = fallbackPolicySchema.safeParse(given.words[0])
    if (policy.success) return editFlags({ fallbackPolicy: policy.data }, invocation)
    const known = FALLBACK_POLICIES.join(', ')
    throw new CommandError(
      t(
        `There is no policy "${given.words[0]}". Policies: ${known}`,
        `没有策略 "${given.words[0]}"。可用：${known}`,
      ),
      2,
    )
  },
}
