// Package specgen draws specs for tests of what reads, writes and translates them.
//
// What enters: a rapid.T. What leaves: specs of any readable values, which need not
// keep the rules, and networks as people could have written them, of which most do.
//
// It must not import anything of ours but spec, and only tests import it.
package specgen
