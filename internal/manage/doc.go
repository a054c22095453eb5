// Package manage holds the verbs of the daemon: what people ask for, checked
// against the definitions and against the host, written to the store, and then
// left to the loop.
//
// What enters: the requests of api.Service. What leaves: definitions and run
// marks in the store, a wake-up of the loop, and answers.
//
// A verb is a function from the world as the store has it to the world that is
// asked for (world.go); the difference is written whole or not at all, and put in
// force (commit.go). One request at a time changes the world.
//
// The kinds of objects are described once, in a table (kind.go). What answers tell
// beyond what the loop sees, such as counters and neighbours, comes by Insight.
//
// Files and updates may be in libvirt's XML (document.go); then its rules hold and its
// words are said, where it has them (libvirt.go). A network has two copies, the
// definition and the one that runs (copies.go).
//
// manage never talks to the kernel itself; it must not import kernel or nft.
package manage
