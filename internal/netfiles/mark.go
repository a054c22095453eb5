package netfiles

import "strings"

// header begins each file that is kvmnet's: who made it, and the way back.
func header(way string) string {
	return "# Written by kvmnet. Undo it with: " + way + "\n"
}

func unconvert(bridge string) string { return "kvmnet bridge unconvert " + bridge }
func undefine(name string) string    { return "kvmnet iface undefine " + name }

// ours reports whether kvmnet wrote a file.
func ours(text string) bool { return strings.HasPrefix(text, "# Written by kvmnet.") }
