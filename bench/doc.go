// Command bench measures castellan against its targets and writes docs/performance.md.
//
// It builds castellan and the program bare, starts both as processes of their own on each engine,
// loads them over loopback with the same clients, and puts every figure beside a baseline of the
// same run. What is compared takes turns in short rounds, so that a machine that gets slower does
// so for both. Calls to castellan are authenticated like any other.
//
// It owns the load, the clock and the report. How rows are copied for the baseline belongs to
// rows, what the baseline does to bare. It needs Linux (for /proc) and the programs of a PostgreSQL
// server; it starts that server itself, with the durability PostgreSQL has by default. Everything
// it starts is stopped and everything it writes removed, except the report.
package main
