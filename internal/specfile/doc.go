// Package specfile reads and writes the objects of package spec as YAML.
//
// What enters: the text of a file and its name. What leaves: a spec.Spec without
// defaults, and every problem of the file at once, each with its line, its
// column, the line itself and, where there is one, the way out. The other way
// round, a Spec leaves as canonical YAML that reads back as the same Spec.
//
// Keys are never listed here: the reader and the writer walk the Go types of
// spec by their yaml tags. specfile is the only room that imports a YAML
// library; it does no input or output of its own.
package specfile
