// Package examples holds the labs that people begin with, each a file that
// `kvmnet apply -f` takes as it is. The demo brings all-modes.yaml up, and a test
// sends packets through every one of them, so that what they say stays true.
package examples

import "embed"

// Files holds every example by its file name.
//
//go:embed *.yaml
var Files embed.FS

// Text returns an example. It panics for a name that is not there: the files are
// compiled in.
func Text(name string) string {
	text, err := Files.ReadFile(name)
	if err != nil {
		panic(err)
	}
	return string(text)
}
