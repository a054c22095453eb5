// Package confirm keeps changes of the host's network that nobody has confirmed yet: a
// journal on disk that is written before the first change, a deadline, and the way
// back.
//
// What enters: changes to arm, confirmations, and for each kind of change who reverts
// and who finishes it. What leaves: calls of those, after a crash, too, and a history.
// It knows nothing of links or files; it imports the standard library only.
package confirm
