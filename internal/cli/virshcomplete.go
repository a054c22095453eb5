package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
)

// completeVerb offers a shell the options of a verb that are left, or what the one
// whose turn it is takes.
func (a *app) completeVerb(v *verb) completer {
	return func(_ *cobra.Command, words []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		only := cobra.ShellCompDirectiveNoFileComp
		args, err := v.parse(append([]string{"--help"}, words...)) // with it nothing is missing
		if err != nil {
			return a.afterOption(v, words)
		}
		if strings.HasPrefix(begun, "-") {
			return v.optionsLeft(args), only
		}
		for _, p := range v.params {
			if p.kind != aSwitch && !p.named && !args.has(p.name) {
				return a.valuesOf(v, p, args)
			}
		}
		return v.optionsLeft(args), only
	}
}

// afterOption offers the values of an option whose value comes next.
func (a *app) afterOption(v *verb, words []string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(words) > 0 && isOption(words[len(words)-1]) {
		if p := v.find(strings.TrimPrefix(words[len(words)-1], "--")); p != nil {
			return a.valuesOf(v, *p, arguments{})
		}
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

func (v *verb) optionsLeft(args arguments) (left []cobra.Completion) {
	for _, p := range v.params {
		if !args.has(p.name) {
			left = append(left, cobra.CompletionWithDesc("--"+p.name, p.help))
		}
	}
	return left
}

// wordsOf are the values of parameters that take one of a few words.
var wordsOf = map[string][]string{
	"command": updateCommands,
	"section": updateSections,
	"event":   {lifecycle, metadataChange},
	"output":  {asTable, asJSON, asYAML},
}

func (a *app) valuesOf(v *verb, p param, args arguments) ([]cobra.Completion, cobra.ShellCompDirective) {
	only := cobra.ShellCompDirectiveNoFileComp
	switch p.name {
	case networkParam.name:
		return a.networkNames(v.fits(), nil), only
	case portParam.name:
		return a.portUUIDs(args.given[networkParam.name]), only
	case ifaceParam.name:
		return a.interfaceNames(v.fitsInterface()), only
	case bridgeParam.name:
		return a.interfaceNames(isHostBridge), only
	case "file", "xml":
		return []cobra.Completion{"xml"}, cobra.ShellCompDirectiveFilterFileExt
	case socketParam.name:
		return nil, cobra.ShellCompDirectiveDefault
	}
	return slices.Clone(wordsOf[p.name]), only
}

// fits tells on which networks a verb can do something.
func (v *verb) fits() func(api.Network) bool {
	switch v {
	case netStart:
		return isNotRunning
	case netDestroy, netPortList, netPortCreate, netPortDumpXML, netPortDelete:
		return isRunning
	case netUndefine, netAutostart:
		return isDefined
	}
	return anyNetwork
}

func (a *app) portUUIDs(network string) []cobra.Completion {
	ask := func(ctx context.Context) ([]api.Port, error) { return a.client().Ports(ctx) }
	return names(ask, func(p api.Port) (string, string) {
		if p.Spec.Network != network {
			return "", ""
		}
		return p.Spec.UUID, p.Name
	}, nil)
}

// fitsInterface tells on which interfaces of the host a verb can do something.
func (v *verb) fitsInterface() func(api.HostInterface) bool {
	switch v {
	case ifaceStart:
		return isDown
	case ifaceDestroy:
		return isUp
	case ifaceUndefine, ifaceEdit:
		return isConfigured
	}
	return anyInterface
}
