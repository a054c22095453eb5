// Package captured is test support: it reads the messages that real programs sent,
// which the rooms that answer them keep in testdata/captured.
//
// What enters: a testing.TB, whose package has such a folder. What leaves: the
// messages, by the name of their file.
//
// captured imports testing, so nothing that ships in the binary imports it. Of
// kvmnet it imports nothing.
package captured
