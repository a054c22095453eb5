package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"
	"golang.org/x/term"
)

// The forms of a listing.
const (
	asTable = "table"
	asWide  = "wide"
	asJSON  = "json"
	asYAML  = "yaml"
)

// listing adds the -o flag of a listing.
func listing(cmd *cobra.Command) *choice {
	return choose(cmd, "output", "o", "form of the output", asTable, asWide, asJSON, asYAML)
}

// single adds the -o flag of a command that prints one object.
func single(cmd *cobra.Command) *choice {
	return choose(cmd, "output", "o", "form of the output", asTable, asJSON, asYAML)
}

// jsonFlag adds --json, another word for -o json.
func jsonFlag(cmd *cobra.Command, form *choice) {
	f := cmd.Flags().VarPF(word{form, asJSON}, "json", "", "as -o json")
	f.NoOptDefVal = "true"
}

// word is a flag without a value that makes a choice.
type word struct {
	of *choice
	is string
}

func (w word) String() string { return strconv.FormatBool(w.of != nil && w.of.value == w.is) }

func (w word) Type() string { return "bool" }

func (w word) Set(s string) error {
	on, err := strconv.ParseBool(s)
	if on {
		w.of.value = w.is
	}
	return err
}

// print writes v as JSON or YAML, or else calls table.
func (a *app) print(form string, v any, table func() error) error {
	switch form {
	case asJSON:
		return writeJSON(a.Stdout, v)
	case asYAML:
		return writeYAML(a.Stdout, v)
	}
	return table()
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// writeYAML writes the JSON form as YAML: the same names in the same order.
func writeYAML(w io.Writer, v any) error {
	var b bytes.Buffer
	if err := writeJSON(&b, v); err != nil {
		return err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(b.Bytes(), &doc); err != nil {
		return fmt.Errorf("turn JSON into YAML: %w", err)
	}
	plain(&doc)
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	if err := e.Encode(&doc); err != nil {
		return err
	}
	return e.Close()
}

// yamlText is a value as YAML.
func yamlText(v any) (string, error) {
	var b bytes.Buffer
	err := writeYAML(&b, v)
	return b.String(), err
}

// plain takes the braces and quotes of JSON away where YAML needs none.
func plain(n *yaml.Node) {
	n.Style = 0
	for _, c := range n.Content {
		plain(c)
	}
}

// say prints a message unless the user wants none.
func (a *app) say(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintf(a.Stdout, format+"\n", args...)
	}
}

// isTerminal reports whether a person reads w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// coloured reports whether w may be written in colours (https://no-color.org).
func coloured(w io.Writer) bool {
	return isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
