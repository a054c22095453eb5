// Package nstest is test support: a network namespace per test, test hosts, a
// ready-made LAN, waiting without sleeping, and the proof that a test left
// everything as it was.
//
// What enters: a testing.TB. What leaves: namespaces and hosts that are closed
// at the end of the test, and plain text dumps of a namespace.
//
// nstest imports testing, so nothing that ships in the binary imports it. Of
// kvmnet it imports netns, spec and testhost only.
package nstest
