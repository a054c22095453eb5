// Package pace keeps apart what many guests ask and what one of them asks too
// often.
//
// What enters: who asks or what is to be said, and the time. What leaves: whether
// it may be now. Memory is bounded, whatever senders a guest makes up, and a table
// that is full never keeps out who is new in it.
//
// pace is pure: it imports the standard library only.
package pace
