module demand

// The line Determined's agent is built with; it decides the defaults of GODEBUG.
go 1.22.0
