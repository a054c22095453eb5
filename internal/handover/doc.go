// Package handover gives programs of users the NICs of guests: over a socket that
// everybody may connect to, it asks the daemon for a port and hands the descriptors
// of its tap over.
//
// What enters: a request, who makes it by the kernel's word (SO_PEERCRED), and an
// Opener that decides. What leaves: an answer, and descriptors. The room decides
// nothing about who may have what.
//
// It has both ends of the socket, and imports api and spec only.
package handover
