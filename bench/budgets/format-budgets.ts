import { layOutTable } from '../text-table.ts';
import { type BudgetReport, type BudgetResult, formatValue, judge } from './budget.ts';

const HEADINGS = ['budgets', 'measured', 'budget', 'verdict'];

/** A title for each promise, and below it ours, and the peers in the same run. */
export function formatBudgets({ results }: BudgetReport): string {
  return layOutTable([HEADINGS, ...results.flatMap(formatResult)], { leftLast: true });
}

function formatResult({ title, unit, figures }: BudgetResult): string[][] {
  return [
    [''],
    [unit === '' ? title : `${title} (${unit})`],
    ...figures.map((figure) => {
      const { name, value, limit, failure } = figure;
      if (failure !== undefined) return [`  ${name}: failed: ${failure.replaceAll(/\s+/g, ' ')}`];
      const bound = limit === undefined ? '' : `≤ ${limit}`;
      return [`  ${name}`, formatValue(value ?? 0), bound, judge(figure, unit)];
    }),
  ];
}
