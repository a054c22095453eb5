package spec

import "fmt"

// advice is an error that knows the way out.
type advice struct{ message, hint string }

func advise(hint, format string, args ...any) error {
	return advice{fmt.Sprintf(format, args...), hint}
}

// Error tells what is wrong and what to do about it.
func (a advice) Error() string { return a.message + " (" + a.hint + ")" }
