// Package manage holds the verbs of the daemon: what people ask for, checked
// against the definitions and against the host, written to the store, and then
// left to the loop.
//
// What enters: the requests of api.Service. What leaves: definitions and run
// marks in the store, a wake-up of the loop, and answers.
//
// manage never talks to the kernel itself; it must not import kernel or nft.
package manage
