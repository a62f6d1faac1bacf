// Loaded before the service: each SIGUSR2 sets the wall clock off by CHAOS_CLOCK_MS, and right again with the next one.
// CHAOS_CLOCK_OFF=1: off from the start. The monotonic clock and the timers are as they are.
const RealDate = globalThis.Date
const shiftMs = Number(process.env.CHAOS_CLOCK_MS)
let isOff = process.env.CHAOS_CLOCK_OFF === '1'

const now = () => RealDate.now() + (isOff ? shiftMs : 0)

globalThis.Date = class extends RealDate {
  constructor(...given) {
    if (given.length === 0) super(now())
    else super(...given)
  }
  static now() {
    return now()
  }
}

process.on('SIGUSR2', () => {
  isOff = !isOff
})
