/** SQL files that say what they are: YAML in a comment whose first and last line carry three hyphens. */
import { parse as parseYaml, YAMLParseError } from 'yaml';
import { check, InvalidValueError } from './validation';

/**
 * Splits a file's text.
 * @param subject what the file is, for example "query club_distances"
 * @throws InvalidValueError when it does not begin with front matter, or that is not YAML
 */
export function readFrontMatter(
  fileText: string,
  subject: string,
  remedy: string,
): { readonly matter: unknown; readonly sql: string } {
  const match = /^\/\*---\n(.*?)\n---\*\/\n(.*)$/s.exec(fileText);
  check(match !== null, {
    name: `beginning of ${subject}`,
    value: fileText.slice(0, 40),
    expected: 'front matter: a line /*---, YAML, a line ---*/',
    remedy,
  });
  try {
    return { matter: parseYaml(match[1]!), sql: match[2]!.trim() };
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error;
    throw new InvalidValueError(`front matter of ${subject} is not YAML: ${error.message}; ${remedy}`);
  }
}
