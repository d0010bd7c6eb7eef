import Handlebars from 'handlebars'
import { describe, expect, it } from 'vitest'
import { lintTemplate, vocabularyOf } from '../../../src/agent-setup/user-template.ts'
import { placeOf } from '../../../src/problems/index.ts'
import { machines } from '../../support/agent-setups.ts'

/** `CODE line:column`, of a template whose first line is the shebang. */
function lint(body: string): string[] {
  const source = { name: 'own.hbs', text: `#!/bin/bash\n${body}` }
  return lintTemplate(source, Handlebars.parse, {
    ...vocabularyOf(machines),
    partials: ['docker', 'report'],
  }).map(({ code, where }) => `${code} ${placeOf(where!).replace('own.hbs:', '')}`)
}

describe('a correct template', () => {
  it.each([
    ['a value on its own line', 'POOL={{sh pool}}\n'],
    ['an exported one', '  export POOL={{sh pool}}\n'],
    ['a switch as a value', 'POWER={{sh powerOff}}'],
    ['a list', 'LOG=({{list docker.logOptions}})\n'],
    ['a text for a command', 'cat >/etc/agent.yaml {{text agent.config}}\necho done\n'],
    ['a text for a command within a script', 'put {{text agent.config}}\n'],
    [
      'conditions',
      '{{#if tls.embed}}\nA={{sh pool}}\n{{else if tls.system}}\nB=1\n{{else}}\nC={{sh pool}}\n{{/if}}\n',
    ],
    ['a condition inside a line', 'verify {{#if tls.nameIsAddress}}-ip{{else}}-host{{/if}} "$NAME"\n'],
    [
      'unless, and a condition on a text',
      '{{#unless cloud.local}}x{{/unless}}{{#if startupScript}}y{{/if}}\n',
    ],
    ['comments', '{{!-- for the writer --}}\n{{! short }}\n# {{! here too }} is fine\n'],
    ['partials at the beginning of a line', '{{> report}}\n{{#if runtime.docker}}\n{{> docker}}\n{{/if}}\n'],
    ["docker's own braces", "docker inspect -f '\\{{.State.Pid}}' agent\n"],
    [
      'a value after closed quotes, heredocs and comments',
      `a "it's $(b 'c')" # it's\ncat <<'X'\n'\nX\nP={{sh pool}}\n`,
    ],
  ])('%s', (_, body) => {
    expect(lint(body)).toEqual([])
  })
})

describe('an unquoted value', () => {
  it.each([
    ['{{pool}}', 'TEMPLATE_NOT_ALLOWED 2:1'],
    ['{{{pool}}}', 'TEMPLATE_NOT_ALLOWED 2:1'],
    ['{{&pool}}', 'TEMPLATE_NOT_ALLOWED 2:1'],
    [`\n\n  \${{pool}}`, 'TEMPLATE_NOT_ALLOWED 4:4'],
    ['A={{sh pool pool}}', 'TEMPLATE_NOT_ALLOWED 2:3'],
    ['A={{sh pool x=1}}', 'TEMPLATE_NOT_ALLOWED 2:3'],
    ['{{lookup master "host"}}', 'TEMPLATE_NOT_ALLOWED 2:1'],
    ['{{log pool}}', 'TEMPLATE_NOT_ALLOWED 2:1'],
    ['{{#with master}}{{/with}}', 'TEMPLATE_NOT_ALLOWED 2:1'],
    ['{{#each docker.logOptions}}{{/each}}', 'TEMPLATE_NOT_ALLOWED 2:1'],
    ['{{#pool}}{{/pool}}', 'TEMPLATE_NOT_ALLOWED 2:1'],
    ['{{#if pool includeZero=true}}{{/if}}', 'TEMPLATE_NOT_ALLOWED 2:1'],
    ['{{#*inline "p"}}{{/inline}}', 'TEMPLATE_NOT_ALLOWED 2:1'],
    ['{{#> report}}{{/report}}', 'TEMPLATE_NOT_ALLOWED 2:1'],
    ['{{* decorator}}', 'TEMPLATE_NOT_ALLOWED 2:1'],
    ['{{> unknown}}', 'TEMPLATE_NOT_ALLOWED 2:1'],
    ['{{> report pool}}', 'TEMPLATE_NOT_ALLOWED 2:1'],
    ['{{> (lookup . "p")}}', 'TEMPLATE_NOT_ALLOWED 2:1'],
  ])('%s', (body, problem) => {
    expect(lint(body)).toEqual([problem])
  })

  it('has a remedy with the correct form', () => {
    const [problem] = lintTemplate(
      { name: 't', text: '#!/bin/bash\n{{master.host}}' },
      Handlebars.parse,
      vocabularyOf(machines),
    )
    expect(problem!.remedy).toBe('Write {{sh master.host}}, {{list master.host}} or {{text master.host}}.')
  })
})

describe('an unknown name, or a name used as another kind', () => {
  it.each([
    ['A={{sh nope}}', '2:8'],
    ['A={{sh master}}', '2:8'],
    ['A={{sh master.nope}}', '2:8'],
    ['A={{sh constructor}}', '2:8'],
    ['A={{sh pool.length}}', '2:8'],
    ['A={{sh ../pool}}', '2:8'],
    ['A={{sh @root.pool}}', '2:8'],
    ['A={{sh this.pool}}', '2:8'],
    ['A={{sh "text"}}', '2:8'],
    ['A={{sh 1}}', '2:8'],
    ['A={{sh (sh pool)}}', '2:8'],
    ['A={{sh docker.logOptions}}', '2:8'],
    ['A=({{list pool}})\n', '2:11'],
    ['a {{text powerOff}}', '2:10'],
    ['{{#if nope}}{{/if}}', '2:7'],
  ])('%s', (body, place) => {
    expect(lint(body)).toEqual([`TEMPLATE_UNKNOWN_NAME ${place}`])
  })
})

describe('a value in a position that the shell would parse', () => {
  it.each([
    ['in double quotes', 'A="{{sh pool}}"\n'],
    ['in double quotes of several lines', 'A="\nB={{sh pool}}\n"\n'],
    ['in single quotes of several lines', "A='\nB={{sh pool}}\n'\n"],
    ['in a heredoc', 'cat <<EOF\nA={{sh pool}}\nEOF\n'],
    ['in a quoted heredoc, which a line of the value could end', "cat <<'EOF'\nA={{sh pool}}\nEOF\n"],
    ['in an indented heredoc', 'cat <<-X\n\tA\n\tX\ncat <<- "X"\nA={{sh pool}}\nX\n'],
    ['in the second of two heredocs', 'cat <<A <<B\nA\nB={{sh pool}}\nB\n'],
    ['in a substitution', 'A=$(\nB={{sh pool}}\n)\n'],
    ['in backquotes', 'A=`\nB={{sh pool}}\n`\n'],
    ['in a substitution in quotes', 'A="$(\nB={{sh pool}}\n)"\n'],
    ['in an expansion', `A=\${B:-\nC={{sh pool}}\n}\n`],
    ['as an argument', 'echo {{sh pool}}\n'],
    ['after a comment sign', '# A={{sh pool}}\n'],
    ['before more text on the line', 'A={{sh pool}}b\n'],
    ['before a condition', 'A={{sh pool}}{{#if pool}}\n{{/if}}\n'],
    ['before another value', 'A={{sh pool}}{{sh pool}}\n'],
    ['at the end of a branch', '{{#if pool}}A={{sh pool}}{{/if}}"\n"'],
    ['with its line end removed', 'A={{sh pool~}}\nb\n'],
    ['a list without parentheses', 'A={{list docker.logOptions}}\n'],
    ['a list among others', 'A=(a {{list docker.logOptions}})\n'],
    ['a text without a command', '{{text startupScript}}\n'],
    ['a text in quotes', 'bash -c "cat {{text startupScript}}\n"\n'],
    ['quotes that only one branch opens', '{{#if pool}}a "\n{{/if}}\nA={{sh pool}}\n{{#if pool}}"{{/if}}\n'],
    ['unclosed quotes', "a '\n"],
    ['a partial in quotes', 'a "\n{{> report}}\n"\n'],
    ['a partial within a line', 'a; {{> report}}\n'],
    ['an indented partial, whose heredocs would be indented too', '  {{> report}}\n'],
  ])('%s', (_, body) => {
    expect(lint(body).map((problem) => problem.split(' ')[0])).toContain('TEMPLATE_POSITION')
  })
})

describe('an invalid template', () => {
  it('is reported with the line of the syntax error', () => {
    expect(lint('A=1\n{{#if pool}}\n')).toEqual(['TEMPLATE_SYNTAX 4'])
    expect(lint('{{sh pool')).toEqual(['TEMPLATE_SYNTAX 2'])
  })

  it('lacks the first line that clouds require', () => {
    const problems = lintTemplate({ name: 't', text: 'echo hi\n' }, Handlebars.parse, vocabularyOf(machines))
    expect(problems.map(({ code }) => code)).toEqual(['TEMPLATE_NO_SHEBANG'])
  })

  it('has all faults reported at once', () => {
    expect(lint('{{pool}}\nA="{{sh nope}}"\n{{> what}}\n')).toEqual([
      'TEMPLATE_NOT_ALLOWED 2:1',
      'TEMPLATE_UNKNOWN_NAME 3:9',
      'TEMPLATE_POSITION 3:4',
      'TEMPLATE_NOT_ALLOWED 4:1',
    ])
  })
})
