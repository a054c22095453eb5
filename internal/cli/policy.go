package cli

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

var policies = kind{name: "policies",
	head: []string{"STATE", "PRIORITY", "FROM", "TO", "VERDICT", "TRAFFIC", "HITS"},
	wide: []string{"LOG", "DESCRIPTION", "PROBLEMS"},
	list: listed(api.Service.Policies, policyObject)}

// policyObject has a line for each rule, in the order in which they decide.
func policyObject(p api.Policy) object {
	o := object{name: p.Name, spec: p.Spec, status: p.Status, about: string(p.Spec.From) + " to " + string(p.Spec.To)}
	whom := []string{p.Status.State, number(p.Spec.Priority), packed(p.Spec.From), packed(p.Spec.To)}
	wide := []string{yesNo(p.Spec.Log), p.Spec.Description, strings.Join(p.Status.Problems, "; ")}
	for _, r := range p.Status.Rules {
		o.rows = append(o.rows, row{append(whom[:len(whom):len(whom)], r.Verdict, trafficText(r.Traffic), hits(r.Counter)), wide})
	}
	if len(o.rows) == 0 {
		o.rows = []row{{append(whom, "", "", ""), wide}}
	}
	return o
}

// packed prints parties as one word.
func packed(p spec.Parties) string { return strings.Join(p.List(), ",") }

func (a *app) policyCommand() *cobra.Command {
	return a.group("policy", "who may open connections to whom: list, add, matrix",
		`A policy says who may open connections to whom, and which. Answers need none. Where
no policy decides, the networks themselves do: 'kvmnet policy matrix' shows what
comes of both.`,
		`  kvmnet policy add db --from lab --to red --allow tcp/5432
  kvmnet policy list
  kvmnet policy matrix`,
		a.policyListCommand(), a.policyAddCommand(), a.policyDelCommand(), a.policyMatrixCommand())
}

func (a *app) policyListCommand() *cobra.Command {
	return a.listCommand(policies, &cobra.Command{Short: "list policies",
		Long: `List prints the policies, a line for each of their rules, with how many
connections it decided so far.`,
		Example: `  kvmnet policy list
  kvmnet policy list -o wide`})
}

func (a *app) policyDelCommand() *cobra.Command {
	return a.delCommand(policies, &cobra.Command{Short: "delete policies",
		Long:    `Del removes a policy and ends the connections that only it permitted.`,
		Example: `  kvmnet policy del db`})
}

// policyAdd are the flags of policy add.
type policyAdd struct {
	from, to            []string
	allow, deny, reject []string
	priority            int
	log                 bool
	description         string
}

func (a *app) policyAddCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "add NAME --from PARTY --to PARTY --allow|--deny|--reject TRAFFIC", Short: "add a policy without writing a file",
		Long: `Add defines a policy and puts it in force.

PARTY is a network (lab), the addresses of its guests (lab/guests), its gateway
(lab/gateway), a router (router/r1), a set (set/office), an address or prefix
(10.0.0.0/8), outside, or any. TRAFFIC is all, a protocol, or ports: tcp/80,443,
udp/2000-2999, icmp, 5432 (tcp and udp), tcp/443@10.0.0.5. All three flags may be
repeated. In one policy deny comes before reject, and reject before allow; of several
the one with the smallest priority decides.`,
		Example: `  kvmnet policy add db --from lab --to red --allow tcp/5432
  kvmnet policy add quiet --from lab --to outside --deny tcp/25 --log
  kvmnet policy add admin --from set/office --to any --allow tcp/22 --allow icmp --priority 10`,
		Args: one("NAME")}
	var o policyAdd
	f := cmd.Flags()
	f.StringArrayVar(&o.from, "from", nil, "who opens connections, a `PARTY`; may be repeated")
	f.StringArrayVar(&o.to, "to", nil, "to whom, a `PARTY`; may be repeated")
	f.StringArrayVar(&o.allow, "allow", nil, "`TRAFFIC` that is let through")
	f.StringArrayVar(&o.deny, "deny", nil, "`TRAFFIC` that is dropped in silence")
	f.StringArrayVar(&o.reject, "reject", nil, "`TRAFFIC` that is refused with an answer")
	f.IntVar(&o.priority, "priority", 0, "of several policies the smallest `number` decides (default 100)")
	f.BoolVar(&o.log, "log", false, "write what it decides to the kernel's log, too")
	f.StringVar(&o.description, "description", "", "a few `words` about it")
	for _, flag := range []string{"from", "to"} {
		cmd.RegisterFlagCompletionFunc(flag, a.completeParty)
	}
	form := single(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, err := o.policy()
		if err != nil {
			return err
		}
		made, err := a.client().AddPolicy(cmd.Context(), api.Definition[spec.Policy]{Name: args[0], Spec: p})
		if err != nil {
			return err
		}
		return a.added(form.value, policies, policyObject(made), made.Status.Problems)
	}
	return cmd
}

// completeParty offers networks, routers and sets.
func (a *app) completeParty(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	found := append([]cobra.Completion{spec.Any, spec.Outside}, a.networkNames(anyNetwork, nil)...)
	for _, k := range []kind{routers, sets} {
		for _, name := range a.namesOf(k, nil) {
			found = append(found, k.word()+"/"+name)
		}
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

func (o policyAdd) policy() (*spec.Policy, error) {
	p := &spec.Policy{Description: o.description, Priority: o.priority, Log: o.log}
	switch {
	case len(o.from) == 0:
		return nil, usage("say who opens the connections, with --from PARTY")
	case len(o.to) == 0:
		return nil, usage("say to whom, with --to PARTY")
	case len(o.allow)+len(o.deny)+len(o.reject) == 0:
		return nil, usage("say what becomes of which connections: --allow, --deny or --reject TRAFFIC")
	}
	var errs [5]error
	p.From, errs[0] = parties(o.from)
	p.To, errs[1] = parties(o.to)
	p.Allow, errs[2] = traffics(o.allow)
	p.Deny, errs[3] = traffics(o.deny)
	p.Reject, errs[4] = traffics(o.reject)
	return p, errors.Join(errs[:]...)
}

func parties(words []string) (spec.Parties, error) {
	p := spec.Parties(strings.Join(words, ", "))
	if _, err := p.Parse(); err != nil {
		return p, usage(err.Error())
	}
	return p, nil
}

func traffics(words []string) (list []spec.Traffic, err error) {
	for _, word := range words {
		t, err := parseTraffic(word)
		if err != nil {
			return nil, err
		}
		list = append(list, t)
	}
	return list, nil
}
