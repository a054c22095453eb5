package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// param is an option of a verb, as virsh's help shows it.
type param struct {
	name, help string
	kind       paramKind
	required   bool
	named      bool // given by its name only, never by its place
}

// paramKind is what follows an option.
type paramKind int

const (
	aSwitch paramKind = iota // nothing
	aNumber
	aWord
	theRest // every word that is left
)

// word is what virsh calls the value.
func (p param) word() string {
	if p.kind == aNumber {
		return "number"
	}
	return "string"
}

// Parameters of several verbs. The last two are ours.
var (
	networkParam  = param{name: "network", help: "network name or uuid", kind: aWord, required: true}
	validateParam = param{name: "validate", help: "validate the XML against the schema"}
	xpathParam    = param{name: "xpath", help: "xpath expression to filter the XML document", kind: aWord, named: true}
	wrapParam     = param{name: "wrap", help: "wrap xpath results in an common root element"}
	outputParam   = param{name: "output", help: "form of the output: table, json or yaml; also -o", kind: aWord, named: true}
	socketParam   = param{name: "socket", help: "path of the daemon's socket", kind: aWord, named: true} // of every verb
)

// arguments are the options of one call.
type arguments struct {
	given map[string]string // by name; of a switch ""
	rest  []string
	help  bool
}

func (a arguments) has(name string) bool {
	_, ok := a.given[name]
	return ok
}

// misused is a call that a verb does not understand. It ends with no empty line, as
// nothing was done.
type misused []string

func (m misused) Error() string { return strings.Join(m, "\n") }

func misusedf(format string, args ...any) error { return misused{fmt.Sprintf(format, args...)} }

// parse reads words as virsh does: an option is written --name VALUE or
// --name=VALUE, at any place, and a word that is none goes to the first option that
// takes a value and has none yet. After -- no word is an option.
func (v *verb) parse(words []string) (arguments, error) {
	args := arguments{given: map[string]string{}}
	for data := false; len(words) > 0; {
		word := words[0]
		words = words[1:]
		var err error
		switch {
		case !data && word == "--":
			data = true
		case !data && isOption(word):
			words, err = v.option(&args, word, words)
		default:
			err = v.place(&args, word)
		}
		if err != nil {
			return args, err
		}
	}
	if missing := v.missing(args); len(missing) > 0 && !args.help {
		return args, missing
	}
	return args, nil
}

// isOption reports whether a word is one; ---all and -x are none.
func isOption(word string) bool {
	if word == "-o" || strings.HasPrefix(word, "-o=") {
		return true // ours, see outputParam
	}
	name, ok := strings.CutPrefix(word, "--")
	return ok && name != "" && (name[0]|0x20 >= 'a' && name[0]|0x20 <= 'z' || name[0] >= '0' && name[0] <= '9')
}

// option reads an option and its value.
func (v *verb) option(args *arguments, word string, after []string) ([]string, error) {
	name, value, attached := strings.Cut(strings.TrimPrefix(word, "--"), "=")
	p := v.find(name)
	switch {
	case name == "help" && !attached:
		args.help = true
		return after, nil
	case p == nil && name == "help", p != nil && p.kind == aSwitch && attached:
		return after, misusedf("invalid '=' after option --%s", name)
	case p == nil && name == "-o":
		return after, v.place(args, word)
	case p == nil:
		return after, misusedf("command '%s' doesn't support option --%s", v.name, name)
	case args.has(p.name):
		return after, misusedf("option --%s already seen", name)
	case p.kind == aSwitch || attached:
		args.given[p.name] = value
		return after, nil
	case len(after) == 0:
		return after, misusedf("expected syntax: --%s <%s>", p.name, p.word())
	}
	return after[1:], v.take(args, *p, after[0])
}

// find returns the parameter of a name.
func (v *verb) find(name string) *param {
	switch name {
	case "-o":
		name = outputParam.name
	case socketParam.name:
		return &socketParam
	}
	i := slices.IndexFunc(v.params, func(p param) bool { return p.name == name })
	if i < 0 {
		return nil
	}
	return &v.params[i]
}

// place gives a word to the parameter whose turn it is.
func (v *verb) place(args *arguments, word string) error {
	for _, p := range v.params {
		if p.kind != aSwitch && !p.named && !args.has(p.name) {
			return v.take(args, p, word)
		}
	}
	return misusedf("unexpected data '%s'", word)
}

func (v *verb) take(args *arguments, p param, value string) error {
	if p.kind == theRest {
		args.rest = append(args.rest, value)
		return nil
	}
	args.given[p.name] = value
	return nil
}

// missing names every parameter that was not given and must be.
func (v *verb) missing(args arguments) (missing misused) {
	for _, p := range v.params {
		if p.required && !args.has(p.name) {
			missing = append(missing, fmt.Sprintf("command '%s' requires <%s> option", v.name, p.name))
		}
	}
	return missing
}

// value is a parameter that must not be empty when it is given.
func (c *call) value(name string) (string, error) {
	value, ok := c.given[name]
	if ok && value == "" {
		return "", virshError{fmt.Sprintf("Failed to get option '%s': Option argument is empty", name)}
	}
	return value, nil
}

// number is a parameter that holds a number, and what else when it was not given.
func (c *call) number(name string, otherwise int) (int, error) {
	value, ok := c.given[name]
	if !ok {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil {
		return 0, malformed(name, value)
	}
	return int(n), nil
}

func malformed(name, value string) error {
	return virshError{fmt.Sprintf("Numeric value '%s' for <%s> option is malformed or out of range", value, name)}
}

// apart refuses two switches that exclude each other.
func (c *call) apart(a, b string) error {
	if c.has(a) && c.has(b) {
		return virshError{fmt.Sprintf("Options --%s and --%s are mutually exclusive", a, b)}
	}
	return nil
}

// copies reads --live, --config and --current.
func (c *call) copies() (live, config bool, err error) {
	if err = c.apart("current", "live"); err == nil {
		err = c.apart("current", "config")
	}
	return c.has("live"), c.has("config"), err
}
