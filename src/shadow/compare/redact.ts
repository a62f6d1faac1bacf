/** UTF-8 bytes of an answer that is kept */
export const MAX_CONTENT_BYTES = 8192
/** UTF-16 units looked at: what is redacted makes a text shorter, mostly by little */
const LOOKED_AT = 16_384
/** UTF-16 units at the end of a text that was cut: what stands there may be half of an address or a number */
const TORN_UNITS = 512

/**
 * The obvious personal data taken out: e-mail addresses, Chinese ID numbers, card numbers, phone numbers (Chinese ones;
 * international ones that begin with `+` or `00`; national ones in the groups of North America, Taiwan, Japan, Germany or Britain;
 * others behind a word that says so). Names, addresses and whatever else stay. Pure, and linear in the
 * text's length.
 */
export function redact(text: string): string {
  return withAsciiDigits(text)
    .replace(EMAIL, '[email]')
    .replace(OTHER_EMAIL, (_, name: string) => `${beforeName(name)}[email]`)
    .replace(SPELT_EMAIL, '[email]')
    .replace(LABELLED, (whole, label: string, number: string) =>
      isLabelledPhone(number) ? `${label}[phone]` : whole,
    )
    .replace(SLASHED, '[phone]')
    .replace(DIGIT_RUN, (run) => (IP_ADDRESS.test(run) ? run : redactRun(run)))
}

/**
 * An answer ready to be kept: redacted first, so that no cut can hide half of what is to go, then cut at 8 KiB. Takes
 * 0.1 ms, for nothing but numbers 20 ms.
 * @param torn the text was cut already: its end is not trusted
 */
export function keptContent(text: string, torn: boolean): string {
  const trusted = torn ? Math.max(0, text.length - TORN_UNITS) : text.length
  const redacted = redact(text.slice(0, text.length <= LOOKED_AT ? trusted : LOOKED_AT - TORN_UNITS))
  const { read } = new TextEncoder().encodeInto(redacted, new Uint8Array(MAX_CONTENT_BYTES))
  return redacted.slice(0, read)
}

/** Ends in letters, so that `koa@3.3.0` is none. */
const DOMAIN = '(?:[A-Za-z0-9-]+\\.)+[A-Za-z]{2,}'
/** `例子.中国`, `münchen.de`: the first name is none of ASCII alone, so that neither is `vue@3.x版本` */
const WORLDWIDE = '(?=[A-Za-z0-9-]{0,62}[^\\x00-\\x7f])(?:[\\p{L}\\p{N}-]{1,63}\\.){1,4}\\p{L}{2,63}'
const LOCAL = "A-Za-z0-9.!#$%&'*+/=?^_`{|}~\\p{Script=Latin}-"

/** Begins at the start of a run of address characters alone, so that a long run without an `@` is looked at once. */
const EMAIL = new RegExp(`(?<![${LOCAL}])[${LOCAL}]+@(?:${DOMAIN}|${WORLDWIDE})`, 'gu')
/**
 * Of another script, or quoted. At a domain that is surely one: Chinese text
 * writes `装饰器@app.get` without a blank.
 */
const OTHER_EMAIL = new RegExp(
  `((?<!\\p{L})\\p{L}+|"[^"\\n]{1,64}")@(?:(?:[A-Za-z0-9-]+\\.)+(?:com|cn|net|org|edu|gov|hk|tw|jp|de|uk)(?![A-Za-z0-9])|${WORLDWIDE})`,
  'gu',
)
/** Letters of a name; more are the sentence before it. */
const MOST_OF_A_NAME = 8
const beforeName = (name: string): string => (name.startsWith('"') ? '' : name.slice(0, -MOST_OF_A_NAME))

/** `ada [at] example [dot] com` */
const SPELT_EMAIL =
  /(?<![\w.+-])[\w.+-]{1,64} ?[[({] ?(?:at|AT) ?[\])}] ?[\w-]{1,63}(?: ?(?:\.|[[({] ?(?:dot|DOT) ?[\])}]) ?[\w-]{1,63}){1,4}/g

/** A word that says what follows; `手机` and `phone` name the thing as well, so they need a sign that a number follows. */
const LABELLED =
  /((?:(?:电话|電話|座机|热线|熱線|传真|傳真|致电|致電|(?<![A-Za-z])(?:tel|telephone|whatsapp|fax)(?![A-Za-z]))(?:号码?|號碼?| number| no\.?)?|(?:手机|手機|(?<![A-Za-z])(?:phone|mobile))(?:(?:号码?|號碼?| number| no\.?)|(?= ?[:：是])))(?: ?[:：]| is|是|为|為)? ?)(\(?\+?\(?\d(?:[ ().-]{0,2}\d){6,18})(?!\d)/gi

/** `030/12345678`, as it is written in Germany */
const SLASHED = /(?<![\d/])\(?0[1-9]\d{1,4}\)? ?\/ ?\d{5,9}(?![\d/])/g

const IP_ADDRESS = /^\d{1,3}(?:\.\d{1,3}){3}$/

/** Digits as people group them: one separator between two groups, a bracket or a plus before. Ends at a digit, or an ID's X. */
const DIGIT_RUN =
  /(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d)|(?<!\d)[+(]{0,2}\d(?:[ .()-]{0,2}\d)*(?:[Xx](?![A-Za-z0-9]))?/g

/** groups of digits that may belong to one number */
const MAX_GROUPS = 8

/** digits of the shortest number that is looked for: an international phone number */
const LEAST_DIGITS = 7
const LEAST_WITHOUT_PLUS = 10
const MOST_DIGITS = 19
/** 19 digits and two signs before each */
const LONGEST_NUMBER = 57

/** Several numbers in a row look like one: from each group on, as many as make a number are taken for it. */
function redactRun(run: string): string {
  const whole = kindOf(run)
  if (whole !== undefined) return whole
  // Groups at even places, what separates them at odd ones.
  const pieces = run.split(/([ .()-]+)/)
  let redacted = ''
  for (let from = 0; from < pieces.length; from += 1) {
    const found = from % 2 === 0 ? numberAt(pieces, from) : undefined
    redacted += found?.kind ?? pieces[from] ?? ''
    from = found?.last ?? from
  }
  return redacted
}

/** The longest number that begins at the group. */
function numberAt(pieces: readonly string[], from: number): { kind: string; last: number } | undefined {
  const most = Math.min(pieces.length - 1, from + 2 * (MAX_GROUPS - 1))
  const least = pieces[from]?.startsWith('+') ? LEAST_DIGITS : LEAST_WITHOUT_PLUS
  let last = from
  let digits = pieces[from]?.length ?? 0
  for (; last + 2 <= most && digits <= MOST_DIGITS; last += 2) digits += pieces[last + 2]?.length ?? 0
  // Joined only if it may be a number at all.
  for (; last >= from && digits >= least; last -= 2) {
    const kind = kindOf(pieces.slice(from, last + 1).join(''))
    if (kind !== undefined) return { kind, last }
    digits -= pieces[last]?.length ?? 0
  }
  return undefined
}

function kindOf(run: string): '[id]' | '[card]' | '[phone]' | undefined {
  if (run.length < LEAST_DIGITS || run.length > LONGEST_NUMBER) return undefined
  const digits = run.replace(/\D/g, '')
  // Most of what is looked at ends here: without a plus there is none below ten.
  if (digits.length < (run.includes('+') ? LEAST_DIGITS : LEAST_WITHOUT_PLUS)) return undefined
  if (digits.length > MOST_DIGITS) return undefined
  const compact = run.replace(/[^0-9Xx]/g, '')
  if (/^\d{17}[\dXx]$/.test(compact) && hasBirthday(compact.slice(6, 14))) return '[id]'
  if (/^\d{15}$/.test(compact) && hasBirthday(`19${compact.slice(6, 12)}`)) return '[id]'
  if (isPhone(run, digits)) return '[phone]'
  return isCard(digits) ? '[card]' : undefined
}

/** GB 11643: the birthday is in the number; a check digit that somebody mistyped makes it no less personal. */
function hasBirthday(yyyymmdd: string): boolean {
  const year = Number(yyyymmdd.slice(0, 4))
  const month = Number(yyyymmdd.slice(4, 6))
  const day = Number(yyyymmdd.slice(6, 8))
  return year >= 1900 && year <= 2099 && month >= 1 && month <= 12 && day >= 1 && day <= 31
}

/** How cards begin; those with a 3 are of one length each. */
const BANKS = /^(?:2(?:2[2-9]|[3-6]|7[0-2])|3(?:[47]\d{13}|5\d{14}|[0689]\d{12})$|[4569])/

/**
 * ISO/IEC 7812: 13 to 19 digits whose last is the Luhn check digit of the others, and that begin as those of banks do: one
 * in ten of all numbers has the right digit, dates (`20…`) and instants in ms (`1…`) among them.
 */
function isCard(digits: string): boolean {
  if (digits.length < 13 || digits.length > 19 || !BANKS.test(digits)) return false
  let sum = 0
  for (let at = 0; at < digits.length; at += 1) {
    const digit = Number(digits[digits.length - 1 - at])
    const doubled = at % 2 === 1 ? digit * 2 : digit
    sum += doubled > 9 ? doubled - 9 : doubled
  }
  return sum % 10 === 0
}

/** in one, in the usual groups, or each digit by itself; not in any: `1366 768 1024` is none */
const CHINESE_MOBILE =
  /^(?:\(?(?:00)?86\)?[ -]{0,2})?\(?(?:1[3-9]\d(?:\d{8}|\d{4}[ .-]\d{4}|\d{2}[ .-]\d{6}|[ .)-]{1,2}\d{4}[ .-]{0,2}\d{4}|[ .-]\d{3}[ .-]\d{5})|1[3-9]\d{2}-\d{3}-\d{4}|1 [3-9](?: \d){9})$/
/** area code with its zero, then 7 or 8 digits */
const CHINESE_LANDLINE = /^(?:(?:\+|00)?86[ -]?)?\(?0?(?:10|2\d|[3-9]\d{2})\)?[ -]?\d{3,4}[ -]?\d{4}$/
/** an international one as it is dialled, in groups */
const DIALLED = /^00[1-9]\d{0,2}(?:[ .()-]{1,2}(?!00)\d{1,5}){2,5}$/
const HOTLINE = /^[48]00[ -]?\d{3}[ -]?\d{4}$/
/** as in North America: 3, 3 and 4 digits, in groups; a bracket parts them as well */
const GROUPED = /^(?:1[ .-])?\(?\d{3}(?:\)[ .-]{0,2}|[ .-]{1,2})\d{3}[ .-]\d{4}$/

/**
 * A national one with its zero, as in Taiwan, Japan, Germany or Britain: area code, then one or two groups. After a blank only
 * behind a long code, and no year: `01 2026 2027` and `03-2026-0012` are others.
 */
const NATIONAL =
  /^(?:\(0[1-9]\d{0,3}\)[ -]?|0[1-9]\d{0,3}-|0[1-9]\d{1,3} )(?!(?:19|20)\d\d[ -])(?:\d{3,8}|\d{3,4}[ -]\d{3,4})$/
const TAIWANESE_MOBILE = /^09\d{8}$/

function isPhone(run: string, digits: string): boolean {
  // E.164: at most 15 digits behind the plus.
  if (/^\(?\+/.test(run)) return digits.length >= leastBehindPlus(run) && digits.length <= 15
  if (CHINESE_MOBILE.test(run) || DIALLED.test(run) || TAIWANESE_MOBILE.test(run)) return true
  if (NATIONAL.test(run) && digits.length <= 12) return true
  const isLandline = /^(?:\(?0|(?:00)?86)/.test(run) && CHINESE_LANDLINE.test(run)
  return isLandline || HOTLINE.test(run) || GROUPED.test(run)
}

/**
 * Full-width digits and signs, as Chinese keyboards write them, as ASCII ones, brackets only around digits; and the hyphens and
 * blanks that do not break a line, with which models like to write numbers.
 */
function withAsciiDigits(text: string): string {
  return text
    .replace(/(?<=[\d\uff10-\uff19)])[\u2010-\u2015\u2212](?=[\d\uff10-\uff19(])/g, '-')
    .replace(/(?<=[\d\uff10-\uff19)])[\u00a0\u2007\u2009\u202f\u3000](?=[\d\uff10-\uff19(])/g, ' ')
    .replace(/(?<=[A-Za-z0-9])\uff0e(?=[A-Za-z0-9])/g, '.')
    .replace(/[\uff10-\uff19\uff0b\uff0d\uff20]/g, (sign) => String.fromCharCode(sign.charCodeAt(0) - 0xfee0))
    .replace(/\uff08(?=\+?\d)/g, '(')
    .replace(/(?<=\d)\uff09/g, ')')
}

/** In one, `+10000000` is more likely a change. */
const leastBehindPlus = (run: string): number => (/^\(?\+\d+$/.test(run) ? 10 : LEAST_DIGITS)

/** Seven digits or more that are no date and no years. */
const isLabelledPhone = (number: string): boolean => !/^(?:19|20)\d{2}(?:[ .-]|\d{4}$)/.test(number)
