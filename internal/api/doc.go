// Package api is the contract between the daemon and its clients: types, the
// HTTP handler on a unix socket, and the client.
//
// What enters: requests as JSON. What leaves: the same verbs called on a
// Service, and their answers or errors as JSON. The command line and any other
// client talk to the daemon through this package only.
//
// api imports spec; it must not import the rooms behind the Service.
package api
