// Package proof proves with packets what routers, forwards and policies promise:
// a whole daemon, real guests' traffic, and strangers who cheat.
//
// What enters: YAML as people write it. What leaves: test failures that name the
// packet. The package has no code of its own and is imported by nobody.
package proof
