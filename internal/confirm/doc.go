// Package confirm keeps changes of the host's network that nobody has confirmed yet: a
// journal on disk that is written before the first change, a deadline, and the way
// back.
//
// What enters: changes to arm, confirmations, and for each kind of change who reverts
// and who finishes it. What leaves: calls of those, after a crash, too, and a history.
//
// A change ends in one of two ways: confirmed and finished, or reverted. The entry on
// disk decides which, at every instant: as long as it does not say confirmed, the
// change is reverted. It knows nothing of links or of other files; it imports
// lockdir only.
package confirm
