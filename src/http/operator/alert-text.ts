import type { Alert } from '../../fallback/fallback.js'
import type { Sentence } from '../edge/language.js'

/** What is wrong, where, and what to do. */
export function alertText(alert: Alert): Sentence {
  switch (alert.kind) {
    case 'store_unreadable':
      return {
        'zh-CN': `无法读取回退标志文件 (${alert.code}): ${alert.detail}。沿用最近一次读到的状态，暂时看不到其他副本和人工的修改；请检查该文件及其文件系统`,
        en: `The override file cannot be read (${alert.code}): ${alert.detail}. The override read last stays in effect, and changes by other replicas or by hand are not seen; check the file and its file system`,
      }
    case 'not_persisted':
      return {
        'zh-CN': `无法写入回退标志文件 (${alert.code}): ${alert.detail}。回退目前只在本副本的内存中生效，服务会继续重试；请检查该目录是否存在、可写且有剩余空间`,
        en: `The override file cannot be written (${alert.code}): ${alert.detail}. It acts only in this replica's memory, and the write is repeated; check that the directory exists, is writable and has space`,
      }
    case 'not_propagated':
      return {
        'zh-CN': `回退标志的修订 ${alert.revision} 已写入文件，但 OpenFeature 仍返回较旧的修订。其他副本可能未生效；请检查 flagd 是否还在监视该文件（见其日志），必要时重启 flagd`,
        en: `Revision ${alert.revision} of the override is in its file, but OpenFeature still gives an older one. Other replicas may follow that one; check in flagd's log whether it still watches the file, and restart flagd if not`,
      }
    case 'override_unparsable':
      return {
        'zh-CN': `无法解读回退标志文件: ${alert.detail}。沿用最近一次有效的回退状态；若 2 秒内未修复，原文件将保留副本并重新写入；请检查是谁改动了它`,
        en: `The override file is not what flagd reads: ${alert.detail}. The last good override stays in effect; unless the file is corrected within 2 s, it is replaced and a copy is kept beside it; find out who changed it`,
      }
    case 'hand_edit_refused': {
      const { detail, aside } = alert
      return aside === undefined
        ? {
            'zh-CN': `手工编辑的回退标志文件被拒绝，未生效: ${detail}。另一副本已重新写入该文件，历史记录中有所保留副本的文件名；请修正后重新编辑，或改用 trigger`,
            en: `A hand edit of the override file was refused and has not taken effect: ${detail}. Another replica has replaced the file; look into the history for the name of the copy, correct the edit and make it again, or use the trigger`,
          }
        : {
            'zh-CN': `手工编辑的回退标志文件被拒绝，未生效: ${detail}。原文件保留为同目录下的 ${aside}；请修正后重新编辑，或改用 trigger`,
            en: `A hand edit of the override file was refused and has not taken effect: ${detail}. A copy is kept beside the file as ${aside}; look into it, correct the edit and make it again, or use the trigger`,
          }
    }
    case 'override_missing':
      return {
        'zh-CN':
          '回退标志的文件不存在，已按当前状态重新写入；请检查是谁删除了它，以及 CHAT_FALLBACK_FLAGS_FILE 是否正确',
        en: "The override's file was missing and is written again from the present state; find out who deleted it, and check CHAT_FALLBACK_FLAGS_FILE",
      }
    case 'both_sick':
      return {
        'zh-CN':
          'Runtime 已越过护栏，但 direct LLM 同样异常，因此没有回退；请先检查 direct LLM（LLM_BASE_URL、密钥、配额），再检查 Runtime',
        en: 'The runtime is over its guardrails, and so is the direct LLM, so there is no fallback; check the direct LLM first (LLM_BASE_URL, key, quota), then the runtime',
      }
    case 'local_trouble':
      return {
        'zh-CN': `本机资源不足或进程停顿 (${alert.codes.join(', ')})；这类故障不计入回退判断。请检查本副本所在机器的文件描述符、端口、内存、DNS 和 CPU`,
        en: `This machine lacks a resource, or this process was suspended (${alert.codes.join(', ')}); such faults are no evidence for a fallback. Check file descriptors, ports, memory, DNS and CPU of this replica's machine`,
      }
    case 'store_unavailable':
      return {
        'zh-CN':
          '数据库 (CHAT_DATABASE) 无法写入：对话在没有历史记录的情况下继续，未写入的内容暂存于内存。请检查磁盘空间、文件是否存在以及是否被其他进程锁定；恢复前请勿重启本副本',
        en: 'The database (CHAT_DATABASE) accepts no writes: turns run without their history, and what could not be written waits in memory. Check disk space, that the file exists, and whether another process locks it; do not restart this replica until it works again',
      }
    case 'overload':
      return alert.level === 3
        ? {
            'zh-CN':
              '本副本过载：事件循环延迟过高，新会话受到限制 (503)，已有会话和进行中的回答不受影响；请增加副本或减少流量',
            en: 'This replica is overloaded: its event loop is late, and new sessions are held back (503). Running turns and sessions go on; add replicas, or send less traffic here',
          }
        : {
            'zh-CN':
              '本副本严重过载：所有新的回答都受到限制 (503)，/health/ready 返回 503，进行中的回答不受影响；请增加副本或减少流量',
            en: 'This replica is badly overloaded: all new turns are held back (503), and /health/ready answers 503. Running turns go on; add replicas, or send less traffic here',
          }
    case 'keys_unreachable':
      return {
        'zh-CN':
          '无法获取签名公钥 (JWKS_URL)：继续使用已知的公钥验证令牌，用新密钥签发的令牌会得到 503。请检查密钥服务器及其网络；恢复前请勿增加副本',
        en: 'The signing keys (JWKS_URL) cannot be fetched: tokens are verified by the keys that are known, and one signed by a newer key gets 503. Check the key server and the way to it; add no replicas before',
      }
    case 'redis_unreachable':
      return {
        'zh-CN':
          '无法连接 Redis (CHAT_REDIS_URL)：本副本只按自己的执行情况判断回退，其流只能在本副本续读，停止请求由数据库传达。用户不受影响；请检查 Redis 及其网络',
        en: 'Redis (CHAT_REDIS_URL) does not answer: this replica judges the fallback by its own executions, its streams continue on this replica alone, and stops reach it by the database. Users notice nothing; check Redis and the way to it',
      }
    case 'standby_sick':
      return alert.why === undefined
        ? {
            'zh-CN':
              'direct LLM 最近一分钟越过护栏，因此错误率等指标不会触发回退；请检查 LLM_BASE_URL、密钥和配额',
            en: 'The direct LLM was over the guardrails in its newest minute, so rates trip no fallback; check LLM_BASE_URL, key and quota',
          }
        : {
            'zh-CN': `direct LLM 无法使用 (${alert.why})，因此不会自动回退，已有的回退会提前结束；请检查 LLM_BASE_URL、密钥和网络`,
            en: `The direct LLM cannot be used (${alert.why}), so there is no automatic fallback, and a running one ends early; check LLM_BASE_URL, key and network`,
          }
    case 'recovery_waits':
      return {
        'zh-CN': `恢复停在 ${alert.percent}% 已超过 15 分钟：会话太少，或成功的太少；请查看 Runtime 的指标，必要时重置回退`,
        en: `The recovery has waited at ${alert.percent}% for more than 15 minutes: too few turns come, or too few succeed; check the runtime's metrics, and reset the fallback if the runtime works`,
      }
    case 'fallback_lasts':
      return {
        'zh-CN':
          '回退已持续超过 20 分钟：没有证据表明 Runtime 已恢复，或没有副本可以开始恢复；请查看健康检查、租约和恢复影子，确认 Runtime 正常后可重置回退',
        en: 'The fallback has lasted for more than 20 minutes: there is no evidence that the runtime works, or no replica may begin the recovery; check the probe, the lease and the recovery shadows, and reset the fallback if the runtime works',
      }
    case 'loop_failed':
      return {
        'zh-CN': `回退循环的一次运行出错: ${alert.detail}。循环会继续运行；如持续出现，请查看日志并反馈`,
        en: `One run of the fallback loop failed: ${alert.detail}. The loop continues; if this repeats, check the log and report it`,
      }
  }
}
