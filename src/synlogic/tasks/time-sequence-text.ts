import type { Language } from "../row.js";
import type { Day, RuleKind } from "./time-sequence-calendar.js";

const DAYS: Readonly<Record<Language, readonly string[]>> = {
  en: ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"],
  zh: ["星期一", "星期二", "星期三", "星期四", "星期五"],
};

/** What a person with each rule says, after the name. */
export const RULES: Readonly<Record<Language, Readonly<Record<RuleKind, string>>>> = {
  en: {
    none: "",
    free_before: " needs at least 10 free minutes within the working hours right before a meeting.",
    free_after: " needs at least 10 free minutes within the working hours right after a meeting.",
    end_by_four: " wants meetings to be over by 16:00.",
    wednesday_lunch: " has lunch from 12:30 to 13:00 on Wednesday and is not free then.",
    skip_early: " can skip every listed booking that ends at 09:45 or earlier.",
    one_hour_ahead:
      " lives where clocks are one hour ahead: the working hours and all times of this person are one hour earlier on everybody else's clock.",
    tuesday_thursday: " meets on Tuesdays and Thursdays only, for at most 60 minutes.",
    skip_short: " can skip every listed booking of 30 minutes or less.",
    miss_ten: " may be absent from a meeting for up to 10 minutes in total.",
    tuesday_friday: " meets on Tuesdays and Fridays only, for at most 30 minutes.",
  },
  zh: {
    none: "",
    free_before: "要求紧接会议开始之前至少有10分钟空闲，且这段空闲在工作时间之内。",
    free_after: "要求紧接会议结束之后至少有10分钟空闲，且这段空闲在工作时间之内。",
    end_by_four: "要求会议最晚在16:00结束。",
    wednesday_lunch: "星期三12:30到13:00要吃午饭，没有空。",
    skip_early: "凡是已列出的、在09:45或更早结束的预定，都可以不参加。",
    one_hour_ahead: "所在地的时钟比别人快一个小时：此人的工作时间和全部日程，按其他人的时钟都要提前一个小时。",
    tuesday_thursday: "只在星期二和星期四开会，每次最多60分钟。",
    skip_short: "凡是已列出的、不超过30分钟的预定，都可以不参加。",
    miss_ten: "在一次会议中可以缺席总共最多10分钟。",
    tuesday_friday: "只在星期二和星期五开会，每次最多30分钟。",
  },
};

const clock = (slot: number) => `${String(9 + Math.floor(slot / 12)).padStart(2, "0")}:${String((slot % 12) * 5).padStart(2, "0")}`;

function writeDay({ lists, intervals }: Day, day: number, language: Language): string {
  const times = intervals.map(([from, to]) => `${clock(from)}-${clock(to)}`).join(language === "zh" ? "、" : ", ");
  if (language === "zh") return `${DAYS.zh[day]}：${lists === "booked" ? "已有预定的时间" : "只有以下时间空闲"}：${times}`;
  return `${DAYS.en[day]}: ${lists === "booked" ? "booked" : "free only"} at ${times}`;
}

export interface Schedule {
  readonly name: string;
  readonly days: readonly Day[];
  readonly rule: RuleKind;
}

export function question(people: readonly Schedule[], language: Language): string {
  const weeks = people.map(
    ({ name, days }) => `${name}${language === "zh" ? "：" : ":"}\n${days.map((day, i) => writeDay(day, i, language)).join("\n")}`,
  );
  const rules = people.filter(({ rule }) => rule !== "none").map(({ name, rule }) => `- ${name}${RULES[language][rule]}`);
  if (language === "zh") {
    return `${people.map(({ name }) => name).join("、")}想找一个时间一起开会。他们都从9:00工作到17:00，只能在下面列出的日子的工作时间内开会。除预定的时间外，他们在工作时间内都有空；如果某天只列出了空闲时间，那么其余时间都没空，也不算预定。

${weeks.join("\n\n")}
${rules.length > 0 ? `\n此外：\n${rules.join("\n")}\n` : ""}
会议必须在整点或半点开始，并在当天结束，所有人全程都要有空。最长的会议能持续多少分钟？有多少个开始时间（日期和时刻）可以开这么长的会？如果根本无法开会，两个数都是 0。

请在回答的最后按此顺序把这两个数写在方括号里，例如：
[45, 3]`;
  }
  const names = people.map(({ name }) => name);
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)} want to find a time for a meeting. All of them work from 9:00 to 17:00, and they can meet only during the working hours of the days below. They are free then except for their bookings; where only free times are listed, they are not free at any other time, and those other times do not count as bookings.

${weeks.join("\n\n")}
${rules.length > 0 ? `\nMoreover:\n${rules.join("\n")}\n` : ""}
The meeting must start on the hour or half-hour and end on the same day, and all must be free from its start to its end. How many minutes can the longest meeting last, and how many starts (day and time) allow a meeting of that length? If no meeting is possible at all, both numbers are 0.

End your answer with these two numbers, in this order, in square brackets, for example
[45, 3]`;
}
