import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WardianError } from '../../util/errors.ts';
import { formatAge, formatDuration, formatSize, shortenId } from './human.ts';
import { renderError } from './report-error.ts';
import { renderTable } from './table.ts';
import { parseTemplate } from './template.ts';

test('tables have columns as wide as needed and no blanks at the end', () => {
  assert.equal(
    renderTable(
      ['ID', 'NAME', 'PORTS'],
      [
        ['1', 'a-long-name', ''],
        ['22', 'b', ''],
      ],
    ),
    'ID  NAME         PORTS\n1   a-long-name\n22  b\n',
  );
  assert.equal(renderTable(undefined, []), '');
});

test('spans, sizes and ids are for people', () => {
  assert.equal(formatDuration(1000), '1 second');
  assert.equal(formatDuration(59_999), '59 seconds');
  assert.equal(formatDuration(3 * 86_400_000), '3 days');
  assert.equal(formatAge(0, 10), 'Less than a second ago');
  assert.equal(formatAge(20, 10), 'Less than a second ago');
  assert.equal(formatSize(4_261_000), '4.26 MB');
  assert.equal(formatSize(12), '12 B');
  assert.equal(shortenId(`sha256:${'ab'.repeat(32)}`), 'abababababab');
});

test('templates know fields, paths and json', () => {
  const value = { Name: 'web', State: { Pid: 7, Tags: ['a', 'b'] } };
  const render = (format: string): string => parseTemplate(format).render(value);
  assert.equal(render('{{.Name}}\\t{{ .State.Pid }}'), 'web\t7');
  assert.equal(render('{{json .State}}'), '{"Pid":7,"Tags":["a","b"]}');
  assert.equal(render('{{.State.Tags}}'), '[a b]');
  assert.equal(render('plain'), 'plain');
  assert.deepEqual(parseTemplate('table {{.Name}}\t{{.State.Pid}}').fields, ['Name', 'Pid']);
  assert.throws(() => render('{{.Nme}}'), { code: 'USAGE', hint: /Name, State/ });
  assert.throws(() => render('{{range .X}}'), { code: 'USAGE' });
});

test('errors are told with causes, hint and what could not be tidied up; stacks only when asked for', () => {
  const error = new WardianError('HYPERVISOR_FAILED', 'QEMU did not start', {
    cause: new Error('outer', { cause: new Error('inner\nsecond line') }),
    hint: 'look at the log',
  });
  error.cleanupErrors.push('folder: not empty');
  assert.equal(
    renderError(error, false),
    `wardian: QEMU did not start
  cause: outer
  cause: inner
    second line
  hint: look at the log
  cleanup: folder: not empty
`,
  );
  assert.match(renderError(error, true), /code: HYPERVISOR_FAILED\n {2}stack: WardianError/);
  assert.match(renderError(new TypeError('x is not a function'), false), /this is a bug/);
});
