import stringWidth from 'string-width'
import type { Invocation } from '../command/invocation.js'
import { padded } from '../text/table.js'
import type { Finding } from './finding.js'

const MARK_WIDTH = 9

/** The findings as lines, each with what to do. */
export function findingsText(findings: readonly Finding[], invocation: Invocation): string {
  const checkWidth = Math.max(...findings.map(({ check }) => stringWidth(check))) + 2
  return findings.map((finding) => findingText(finding, checkWidth, invocation)).join('')
}

function findingText(
  { check, result, text, advice }: Finding,
  checkWidth: number,
  { t, style }: Invocation,
): string {
  const mark = {
    ok: style.good(t('ok', '正常')),
    warning: style.warning(t('warning', '警告')),
    fault: style.bad(t('FAULT', '错误')),
    skipped: style.dim(t('skipped', '跳过')),
  }[result]
  const indent = ' '.repeat(MARK_WIDTH + checkWidth)
  const [first = '', ...rest] = text.split('\n')
  const more = rest.map((line) => `${indent}${line}\n`).join('')
  const advised = advice === undefined || result === 'ok' ? '' : `${indent}→ ${advice}\n`
  return `${padded(mark, MARK_WIDTH)}${padded(check, checkWidth)}${first}\n${more}${advised}`
}
