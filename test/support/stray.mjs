// Loaded into a service before its own code: SIGUSR2 and SIGURG bring an error that nobody catches.
process.on('SIGUSR2', () => {
  void Promise.reject(new TypeError('nobody awaits this'))
})
process.on('SIGURG', () => {
  throw new TypeError('nobody catches this')
})
