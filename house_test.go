package castellan_test

import (
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"
)

// Budgets of the house, for orientation: an excess is printed, and fails only at twice the
// budget, where it is a mistake and no longer a reason.
const (
	budgetFileLines    = 500
	budgetFuncLines    = 60
	budgetPackageLines = 2000
	budgetPackageFiles = 15
)

func TestEveryPackageAndExportedNameIsDocumented(t *testing.T) {
	documented := make(map[string]bool)
	seen := make(map[string]string)
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		seen[s.folder] = s.path
		documented[s.folder] = documented[s.folder] || s.ast.Doc != nil
		for _, d := range s.ast.Decls {
			for _, missing := range undocumented(d) {
				t.Errorf("%s: %s is exported and has no comment", s.set.Position(d.Pos()), missing)
			}
		}
	}
	for folder, file := range seen {
		if !documented[folder] {
			t.Errorf("package %s has no package comment (looked at %s)", folder, file)
		}
	}
}

// undocumented returns the exported names of a declaration that have no comment.
func undocumented(d ast.Decl) []string {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
			return []string{d.Name.Name}
		}
	case *ast.GenDecl:
		if d.Tok == token.IMPORT || d.Doc != nil {
			return nil
		}
		var names []string
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && s.Doc == nil {
					names = append(names, s.Name.Name)
				}
			case *ast.ValueSpec:
				for _, n := range s.Names {
					if n.IsExported() && s.Doc == nil && s.Comment == nil {
						names = append(names, n.Name)
					}
				}
			}
		}
		return names
	}
	return nil
}

// exportedReceiver reports whether a function is no method, or one of an exported type.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	exported := true
	ast.Inspect(d.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			exported = exported && id.IsExported()
			return false
		}
		return true
	})
	return exported
}

func TestBudgets(t *testing.T) {
	type size struct{ lines, files, comments int }
	packages := make(map[string]*size)
	var all size
	over := func(what string, have, budget int) {
		if have > 2*budget {
			t.Errorf("%s: %d, the budget is %d", what, have, budget)
		} else if have > budget {
			t.Logf("%s: %d, the budget is %d", what, have, budget)
		}
	}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		lines := s.set.File(s.ast.Pos()).LineCount()
		over(s.path+" lines", lines, budgetFileLines)
		p := packages[s.folder]
		if p == nil {
			p = &size{}
			packages[s.folder] = p
		}
		p.lines, p.files = p.lines+lines, p.files+1
		for _, g := range s.ast.Comments {
			all.comments += s.set.Position(g.End()).Line - s.set.Position(g.Pos()).Line + 1
		}
		all.lines += lines
		for _, d := range s.ast.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				n := s.set.Position(f.End()).Line - s.set.Position(f.Pos()).Line + 1
				over(s.path+" func "+f.Name.Name+" lines", n, budgetFuncLines)
			}
		}
	}
	names := make([]string, 0, len(packages))
	for name := range packages {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		over(name+" lines", packages[name].lines, budgetPackageLines)
		over(name+" files", packages[name].files, budgetPackageFiles)
	}
	t.Logf("%d lines in %d packages, %d %% of them comments", all.lines, len(packages), 100*all.comments/all.lines)
}

var markdownLink = regexp.MustCompile(`\]\(([^)#\s]+)(#[^)]*)?\)`)

func TestLinksInDocumentsLead(t *testing.T) {
	documents, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("docs/*/*.md")
	if err != nil {
		t.Fatal(err)
	}
	top, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	documents = append(append(documents, more...), top...)
	if len(documents) < 4 {
		t.Fatalf("found only %v", documents)
	}
	for _, doc := range documents {
		text, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range markdownLink.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(doc), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", doc, m[1])
			}
		}
	}
}
