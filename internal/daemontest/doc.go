// Package daemontest is test support: a machine with a kvmnet daemon that is a
// process of its own, so that it can be killed at a chosen op and started again.
//
// What enters: a testing.TB and a network namespace. What leaves: a Machine whose
// daemon serves in private directories, and which takes all of it away at the end
// of the test. The test binary is also the daemon: TestMain must call Main.
//
// daemontest imports testing, so nothing that ships in the binary imports it.
package daemontest
