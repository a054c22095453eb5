// Package plan is the pure core: it turns what people want into the state the
// kernel should have, and compares that with the state it has.
//
// What enters: spec values, Facts about the host, and an observed State.
// What leaves: a desired State (Build), and sorted, printable Ops with the
// Conflicts that kept objects out of them (Diff).
//
// plan imports the standard library and spec only. It never reads a file, a
// socket or a clock, so that every decision can be replayed from two texts.
package plan
