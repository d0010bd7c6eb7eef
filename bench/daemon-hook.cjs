// Loaded into the measured daemon by NODE_OPTIONS=--require, because only the process itself knows how long its event loop
// was held. Appends a line of JSON to the file in BENCH_HOLDS each second.
const { appendFileSync } = require('node:fs')

const file = process.env.BENCH_HOLDS
const every = 5
let last = performance.now()
let lastCpu = cpu()
let worst = { wall: 0, cpu: 0 }

/** Milliseconds of the main thread alone: those of the garbage collector's helpers hold nothing. */
function cpu() {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

// Wall time tells how late everything else is, processor time how much of that is this process and not a busy machine.
setInterval(() => {
  const now = performance.now()
  const nowCpu = cpu()
  worst.wall = Math.max(worst.wall, now - last - every)
  worst.cpu = Math.max(worst.cpu, Math.min(nowCpu - lastCpu, now - last))
  last = now
  lastCpu = nowCpu
}, every).unref()

setInterval(() => {
  const { heapUsed, heapTotal, external } = process.memoryUsage()
  appendFileSync(file, `${JSON.stringify({ at: Date.now(), ...worst, heapUsed, heapTotal, external })}\n`)
  worst = { wall: 0, cpu: 0 }
}, 1000).unref()
