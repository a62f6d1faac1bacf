// Loaded into a service before its own code: each SIGUSR2 holds its event loop for 300 ms, as heavy work would.
process.on('SIGUSR2', () => {
  const until = performance.now() + 300
  while (performance.now() < until);
})
