package netfiles

import "slices"

// Undo returns the changes that take changes back, in the opposite order: the files
// are byte for byte what they were, with their owners and modes.
func Undo(changes []Change) []Change {
	var list []Change
	for _, c := range slices.Backward(changes) {
		c.Before, c.After = c.After, c.Before
		list = append(list, c)
	}
	return list
}
