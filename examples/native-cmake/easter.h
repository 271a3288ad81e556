#pragma once

struct Date {
  int month;
  int day;
};

/// Easter Sunday of a year from 1583 on.
Date easter(int year);
