// Loaded before the program: it takes its standard error for a terminal, as a reader's is.
if (process.argv[1]?.endsWith('cli.cjs')) Object.defineProperty(process.stderr, 'isTTY', { value: true })
